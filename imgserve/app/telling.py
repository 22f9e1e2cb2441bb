"""From settings to webhooks: which ones orders may have, and what delivers them."""

from __future__ import annotations

from imgserve.adapters.hooks import HookSender
from imgserve.app.grammar import build_grammar
from imgserve.app.services import build_signer
from imgserve.app.sources import address_rules, user_agent
from imgserve.errors import ConfigError
from imgserve.plan.model import Plan
from imgserve.plan.sources import compile_patterns
from imgserve.service.webhooks import Deliveries, HookRules, Schedule, secret_bytes
from imgserve.settings import Settings
from imgserve.web.http import Negotiation
from imgserve.web.job_facts import JobFacts
from imgserve.web.orders import Expansion


def hook_rules(settings: Settings) -> HookRules:
    """Raises ConfigError."""
    jobs = settings.jobs
    try:
        return HookRules(secret=secret_bytes(jobs.webhook_secret), allowed=compile_patterns(jobs.allowed_webhooks))
    except ValueError as wrong:
        raise ConfigError([f"IMGSERVE_WEBHOOK_SECRET: {wrong}"]) from wrong


def build_deliveries(settings: Settings, schedule: Schedule) -> Deliveries:
    """Make what tells of ended jobs, in a worker's process; raises ConfigError."""
    # It makes paths for jobs that a server has let in.
    expansion = Expansion(
        grammar=build_grammar(settings), negotiation=Negotiation(), admit=lambda _plan: None, key=Plan.canonical
    )
    return Deliveries(
        hooks=HookSender(
            address_rules(settings),
            timeout_s=settings.jobs.webhook_timeout,
            user_agent=user_agent(settings),
        ),
        rules=hook_rules(settings),
        schedule=schedule,
        facts=JobFacts(expansion=expansion, signer=build_signer(settings), prefix=settings.url.route_prefix),
        attempts=settings.jobs.webhook_attempts,
    )
