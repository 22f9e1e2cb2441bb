"""From the bytes of a request to a negotiated Plan: split, verify, parse, expiry, source, Accept; in this order."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from imgserve.errors import Expired
from imgserve.ops.delivery import Expires
from imgserve.plan.model import Plan
from imgserve.plan.signing import Signer
from imgserve.plan.url import Grammar, parse, split_signature
from imgserve.web.exchange import Exchange
from imgserve.web.http import Negotiation, client_hints, negotiate


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReader:
    """What it takes to understand an image URL."""

    grammar: Grammar
    signer: Signer
    negotiation: Negotiation
    #: Raises SourceForbidden or BadRequest for plans whose source is not to be fetched.
    admit: Callable[[Plan], None]
    prefix: str = ""
    clock: Callable[[], float] = time.time

    def read(self, exchange: Exchange, raw_path: bytes, query: bytes) -> Plan:
        """Understand a path and a query as they were sent; raises RequestError.

        A bad signature is told before anything that the path says is looked at.
        """
        signature, path = split_signature(raw_path, prefix=self.prefix)
        self.signer.verify(signature, "/" + path)
        hints = client_hints(exchange.header) if self.negotiation.client_hints else ()
        plan = parse(path, self.grammar, hints=hints, query=query.decode("latin-1"))
        exchange.source, exchange.picked = plan.source, plan.picked or ""
        self._check_expiry(plan)
        self.admit(plan)
        return negotiate(plan, exchange.header("accept"), self.negotiation)

    def _check_expiry(self, plan: Plan) -> None:
        expires = plan.get(Expires)
        if expires is not None and 0 < expires.timestamp < int(self.clock()):
            raise Expired("This URL has expired.", where="expires", got=str(expires.timestamp))
