"""The /v1 API over a queue in memory: real parts, put together as the app does, without sources and renders."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from imgserve.ops.catalog import CATALOG
from imgserve.plan.model import Plan
from imgserve.plan.needs import Need
from imgserve.plan.presets import parse_strings
from imgserve.plan.signing import Signer, key_pairs
from imgserve.plan.sources import compile_patterns, scheme_of
from imgserve.plan.url import Grammar, parse_options
from imgserve.ports import Origin
from imgserve.ports.models import Answer, Capability, Picture, Progress, Provider, Task
from imgserve.service.api_keys import ApiKeys
from imgserve.service.artefacts import Artefact, Artefacts
from imgserve.service.entry import key_of
from imgserve.service.freshness import KeepingRules
from imgserve.service.jobs import Jobs
from imgserve.service.negatives import Negatives
from imgserve.service.purges import Purges
from imgserve.service.readiness import Readiness
from imgserve.service.tiers import Tiers
from imgserve.service.webhooks import HookRules
from imgserve.web.api import ApiHandler, NoEndpoint, endpoints
from imgserve.web.capabilities import CapabilitiesEndpoint
from imgserve.web.edge import Edge, EdgePolicy
from imgserve.web.events import FollowJob
from imgserve.web.exchange import Exchange
from imgserve.web.http import Negotiation
from imgserve.web.job_facts import JobFacts
from imgserve.web.job_orders import JobOrders
from imgserve.web.jobs import JobsApi
from imgserve.web.openapi import OpenApiEndpoint, document
from imgserve.web.orders import Expansion
from imgserve.web.purge import PurgeEndpoint
from imgserve.web.rates import Rates
from imgserve.web.reading import PlanReader
from tests.service.making import SlowStore
from tests.web.conftest import KEY, SALT
from tests.web.memory_queue import MemoryQueue

API_KEY = "a-key-of-the-jobs-tests"
AUTHORIZED = {"authorization": f"Bearer {API_KEY}"}
HOOKS = HookRules(secret=b"secret")


@dataclass
class NoWork:
    """A provider that only tells what it is."""

    capability: Capability
    broken: str | None = None
    looks: int = 0

    def trouble(self) -> str | None:
        self.looks += 1
        return self.broken

    def run(self, picture: Picture, argument: str, progress: Progress) -> Answer:
        raise NotImplementedError

    def close(self) -> None:
        pass


def provider(task: Task, **facts: Any) -> NoWork:
    return NoWork(Capability(task=task, name="none", identity=f"{task}-1", **facts))


def providers(*tasks: Task) -> dict[Task, NoWork]:
    return {task: provider(task) for task in tasks or (Task.BACKGROUND, Task.UPSCALE, Task.FACES)}


@dataclass
class Setup:
    """What a test may want otherwise."""

    providers: Mapping[Task, NoWork] = field(default_factory=providers)
    hooks: HookRules = HOOKS
    prefix: str = ""
    signed: bool = True
    rate: int = 0
    grammar: Mapping[str, Any] = field(default_factory=dict)
    keeps: bool = True
    beat_s: float = 5.0
    timeout_s: float = 10.0
    max_streams: int = 100
    allow_origin: str = ""


class JobsServer:
    """The app, its parts, and a client with a key."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.queue, self.store, self.readiness = MemoryQueue(), SlowStore(), Readiness()
        tiers = Tiers([self.store] if setup.keeps else [])
        negatives = Negatives(ttl_s=10)
        self.purges = Purges(results=tiers, sources=Tiers(), negatives=negatives)
        made: Mapping[Task, Provider] = setup.providers
        self.artefacts = Artefacts(tiers=tiers, purges=self.purges, rules=KeepingRules(), providers=made)
        self.jobs = Jobs(queue=self.queue, artefacts=self.artefacts)
        self.grammar = _grammar(setup.grammar)
        self.signer = Signer(pairs=key_pairs([KEY], [SALT]) if setup.signed else ())
        expansion = Expansion(
            grammar=self.grammar, negotiation=Negotiation(), admit=_admit, key=lambda plan: key_of(plan, epoch="1")
        )
        self.facts = JobFacts(expansion=expansion, signer=self.signer, prefix=setup.prefix)
        self.app = self._app(expansion)
        transport = httpx.ASGITransport(self.app)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://images.test", headers=AUTHORIZED)
        self.exchanges: list[Exchange] = []

    def _app(self, expansion: Expansion) -> Starlette:
        setup = self.setup
        reader = PlanReader(
            grammar=self.grammar,
            signer=self.signer,
            negotiation=Negotiation(),
            admit=_admit,
            prefix=setup.prefix,
        )
        orders = JobOrders(
            reader=reader, expansion=expansion, artefacts=self.artefacts, hooks=setup.hooks, facts=self.facts
        )
        follow = FollowJob(
            jobs=self.jobs,
            facts=self.facts,
            readiness=self.readiness,
            beat_s=setup.beat_s,
            max_streams=setup.max_streams,
        )
        handlers: dict[str, ApiHandler] = {
            **JobsApi(jobs=self.jobs, orders=orders, facts=self.facts).handlers(),
            "followJob": follow,
            "purge": PurgeEndpoint(self.purges, self.grammar),
            "capabilities": CapabilitiesEndpoint(providers=setup.providers, queue="memory", pending="fallback"),
            "openapi": OpenApiEndpoint(self.grammar, prefix=setup.prefix),
        }
        digest = hashlib.sha256(API_KEY.encode()).hexdigest()
        apps = endpoints(handlers, keys=ApiKeys({"tests": digest}), rates=Rates(take=self.jobs.take, limit=setup.rate))
        routes = [Route(setup.prefix + path, app) for path, app in apps.items()]
        routes += [Route(f"{setup.prefix}/v1{rest}", NoEndpoint()) for rest in ("", "/{rest:path}")]
        policy = EdgePolicy(timeout_s=setup.timeout_s, allow_origin=setup.allow_origin)
        app = Starlette(routes=routes, middleware=[Middleware(Edge, policy=policy, log=self._log)])
        app.router.redirect_slashes = False
        return app

    def _log(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def signed(self, path: str) -> str:
        return f"{self.setup.prefix}/{self.signer.sign(path)}{path}"

    async def order(self, body: object, *, status: int = 202) -> list[dict[str, Any]]:
        """Order jobs, and give the entries of the answer."""
        answer = await self.post("/v1/jobs", body)
        assert answer.status_code == status, answer.text
        found: list[dict[str, Any]] = answer.json()["jobs"]
        return found

    async def post(self, path: str, body: object) -> httpx.Response:
        # httpx' own JSON cannot hold half a character.
        answer = await self.client.post(self.setup.prefix + path, content=json.dumps(body))
        self.check("post", path, answer)
        return answer

    async def ask(self, path: str, *, method: str = "GET", template: str = "") -> httpx.Response:
        answer = await self.client.request(method, self.setup.prefix + path)
        self.check(method.lower(), template or path.partition("?")[0], answer)
        return answer

    def check(self, method: str, template: str, answer: httpx.Response) -> None:
        """Check an answer against what the OpenAPI document says of it."""
        told = document(self.grammar, prefix=self.setup.prefix)
        responses = told["paths"][template][method]["responses"]
        assert str(answer.status_code) in responses, answer.text
        [(kind, content)] = responses[str(answer.status_code)]["content"].items()
        assert answer.headers["content-type"] == kind
        if kind == "application/json":
            validate(told, content["schema"], answer.json())

    async def keep(self, need: Need) -> None:
        """Keep an artefact, as a worker would."""
        artefact = Artefact(data=b"picture", origin=Origin(), validator="1", source_bytes=1, source_format="jpeg")
        await self.artefacts.keep(need, artefact, since=await self.artefacts.mark())


def _grammar(given: Mapping[str, Any]) -> Grammar:
    bare = Grammar(catalog=CATALOG)
    presets = parse_strings(["cut=rmbg:1", "big=up:2"], lambda segments: parse_options(segments, bare))
    return dataclasses.replace(bare, presets=presets, **given)


def _admit(plan: Plan) -> None:
    scheme_of(plan.source)
    compile_patterns(["https://", "local://"]).check(plan.source)


def validate(told: Mapping[str, Any], schema: Mapping[str, Any], value: object) -> None:
    """Check a value against a schema of an OpenAPI document; raises jsonschema's error."""
    registry: Registry[Any] = Registry().with_resource("urn:told", DRAFT202012.create_resource(dict(told)))
    absolute = json.loads(json.dumps(schema).replace('"#/', '"urn:told#/'))
    Draft202012Validator(absolute, registry=registry, format_checker=FormatChecker()).validate(value)
