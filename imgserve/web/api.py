"""The /v1 API: JSON in, JSON out, for holders of a key."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from imgserve.errors import BadRequest, MethodNotAllowed, PurgeIncomplete
from imgserve.ports import EVERYTHING, Selector
from imgserve.service.api_keys import ApiKeys
from imgserve.service.entry import PRESET, SOURCE, TAG
from imgserve.service.purges import Purges
from imgserve.web.exchange import SCOPE_KEY, Exchange
from imgserve.web.responses import json_response, preflight_response

logger = logging.getLogger(__name__)

#: Far more than a hundred of the longest URLs.
MAX_BODY_BYTES: Final = 1 << 20
#: Things that one request may name.
MAX_NAMED: Final = 100

ApiHandler = Callable[[Exchange, Mapping[str, Any]], Awaitable[None]]


class ApiEndpoint:
    """A route's ASGI app: checks method and key, reads the JSON object, hands both to a handler."""

    def __init__(self, handler: ApiHandler, *, keys: ApiKeys, methods: tuple[str, ...] = ("POST",)) -> None:
        self._handler = handler
        self._keys = keys
        self._methods = (*methods, "OPTIONS")

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        exchange.json = True
        if exchange.method == "OPTIONS":
            await exchange.send(preflight_response(self._methods))
            return
        if exchange.method not in self._methods:
            raise MethodNotAllowed(
                f"{exchange.method[:20]} is not possible here; use {' or '.join(self._methods[:-1])}.",
                where="method",
                got=exchange.method[:20],
                expected=", ".join(self._methods),
            )
        name = self._keys.name_of(exchange.header("authorization") or "")
        value = await _read_object(exchange)
        logger.info("API key %s: %s %s", name, exchange.method, exchange.raw_path.decode("latin-1"))
        await self._handler(exchange, value)


async def _read_object(exchange: Exchange) -> Mapping[str, Any]:
    body = await exchange.read_body(MAX_BODY_BYTES)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("The body is not JSON.", where="body", expected="a JSON object") from None
    if not isinstance(value, dict):
        raise BadRequest("The body is JSON, but not an object.", where="body", expected="a JSON object")
    return value


def names_in(value: Mapping[str, Any], field: str) -> list[str]:
    """Give the texts of a field that is one text or a list of them; raises BadRequest."""
    given = value.get(field, [])
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(one, str) and one for one in texts):
        raise BadRequest(
            f"The field {field!r} must be a text or a list of texts, none of them empty.",
            where=field,
            expected="a text or a list of texts",
        )
    return texts


def check_fields(value: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuse what is not a field, rather than read over a mistake; raises BadRequest."""
    for field in value:
        if field not in known:
            raise BadRequest(
                f"There is no field called {field[:80]!r}.", where=field[:80], expected=f"one of {', '.join(known)}"
            )


#: What labels begin with, by the field of the request.
_LABELS: Final = {"source": SOURCE, "prefix": SOURCE, "tag": TAG, "preset": PRESET}


@dataclass(frozen=True, slots=True)
class PurgeEndpoint:
    """Handler of POST /v1/purge: {"source" | "prefix" | "tag" | "preset": text or texts} or {"everything": true}."""

    purges: Purges

    async def __call__(self, exchange: Exchange, value: Mapping[str, Any]) -> None:
        selectors = _selectors(value)
        entries: dict[str, int] = {}
        failed: dict[str, None] = {}
        for selector in selectors:
            done = await self.purges.purge(selector)
            failed |= dict.fromkeys(done.failed)
            for tier, count in done.entries.items():
                entries[tier] = entries.get(tier, 0) + count
        logger.info("purged %s: %s", ", ".join(one.label or "everything" for one in selectors[:5]), entries)
        if failed:
            raise PurgeIncomplete(
                f"The purge did not reach {', '.join(failed)}; ask again.", where=", ".join(failed), retry_after_s=1
            )
        await exchange.send(json_response({"purged": entries}))


def _selectors(value: Mapping[str, Any]) -> list[Selector]:
    check_fields(value, (*_LABELS, "everything"))
    if "everything" in value:
        if value != {"everything": True}:
            raise BadRequest('To purge everything, send {"everything": true} and nothing else.', where="everything")
        return [EVERYTHING]
    out = [
        Selector(label + name, prefix=field == "prefix")
        for field, label in _LABELS.items()
        for name in names_in(value, field)
    ]
    if not 0 < len(out) <= MAX_NAMED:
        raise BadRequest(
            f"The body names {len(out)} things to purge.",
            where="body",
            expected=f"1 to {MAX_NAMED} in the fields {', '.join(_LABELS)}",
        )
    return out
