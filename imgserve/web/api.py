"""The /v1 API: JSON in, JSON out, for holders of a key."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from imgserve.errors import BadRequest, Forbidden, MethodNotAllowed, NotFound
from imgserve.service.api_keys import ApiKeys
from imgserve.web.exchange import SCOPE_KEY, Exchange
from imgserve.web.operations import OPERATIONS
from imgserve.web.rates import Rates
from imgserve.web.responses import READ_METHODS, preflight_response

logger = logging.getLogger(__name__)

#: Far more than a hundred of the longest URLs.
MAX_BODY_BYTES: Final = 1 << 20
#: Things that one request may name.
MAX_NAMED: Final = 100
#: Tables and lists in each other: more than twice what any order needs, and far from Python's limit of calls in calls.
_MAX_DEPTH: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What the holder of a key asks for."""

    #: Name of the key, "" where none is wanted.
    key: str
    #: Of the route's path.
    parameters: Mapping[str, str]
    #: Of the URL's query; known ones alone, each once.
    query: Mapping[str, str]
    #: The JSON object in the body, empty where none is read.
    value: Mapping[str, Any]


ApiHandler = Callable[[Exchange, Call], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What one method does at a route."""

    handler: ApiHandler
    #: Names of the query that it knows.
    queries: tuple[str, ...] = ()
    #: Whether the body is a JSON object for it, or left to it.
    reads: bool = False
    #: Whether it wants a key, and counts as a request of it.
    keyed: bool = True
    counted: bool = True


class ApiEndpoint:
    """A route's ASGI app: checks method, key, rate and query, reads the body, hands all to the method's handler."""

    def __init__(
        self,
        actions: Mapping[str, Action],
        *,
        keys: ApiKeys,
        has_keys: bool = True,
        rates: Rates | None = None,
    ) -> None:
        """`actions` are by method, HEAD is as GET."""
        self._actions = {**actions, "HEAD": actions["GET"]} if "GET" in actions else dict(actions)
        self._keys = keys
        self._has_keys = has_keys
        self._rates = rates
        self._methods = (*self._actions, "OPTIONS")

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        exchange.json = True
        if exchange.method == "OPTIONS":
            await exchange.send(preflight_response(self._methods))
            return
        action = self._actions.get(exchange.method)
        if action is None:
            raise MethodNotAllowed(
                f"{exchange.method[:20]} is not possible here; use {' or '.join(self._methods[:-1])}.",
                where="method",
                got=exchange.method[:20],
                expected=", ".join(self._methods),
            )
        key = self._key_name(exchange.header("authorization") or "") if action.keyed else ""
        if action.keyed and action.counted and self._rates is not None:
            await self._rates.count(exchange, key)
        query = _read_query(scope.get("query_string", b""), action.queries)
        value = await _read_object(exchange) if action.reads else {}
        if key and exchange.method not in READ_METHODS:
            logger.info("API key %s: %s %s", key, exchange.method, exchange.raw_path.decode("latin-1"))
        call = Call(key=key, parameters=scope.get("path_params", {}), query=query, value=value)
        await action.handler(exchange, call)

    def _key_name(self, authorization: str) -> str:
        """Give the name of the client's key; a key that is not known is another mistake than none."""
        try:
            return self._keys.name_of(authorization)
        except Forbidden:
            scheme, _, key = authorization.partition(" ")
            if self._has_keys and scheme.lower() == "bearer" and key.strip():
                raise Forbidden(
                    "This key is not among IMGSERVE_API_KEYS (send the key, not its hash; restart after a change).",
                    where="Authorization",
                ) from None
            raise


class NoEndpoint:
    """The ASGI app of all of /v1 that is no endpoint: 404 to every method."""

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        exchange.json = True
        there = ", ".join(f"{one.method} {one.path}" for one in OPERATIONS)
        raise NotFound(f"There is nothing here: the API has {there}.", where="path")


def endpoints(
    handlers: Mapping[str, ApiHandler], *, keys: ApiKeys, has_keys: bool = True, rates: Rates | None = None
) -> dict[str, ApiEndpoint]:
    """Make the ASGI apps of the API by path, as routes spell it; `handlers` are by the operations' ids."""
    actions: dict[str, dict[str, Action]] = {}
    for one in OPERATIONS:
        if one.id in handlers:
            actions.setdefault(one.path, {})[one.method] = Action(
                handler=handlers[one.id],
                queries=tuple(parameter.name for parameter in one.parameters if parameter.place == "query"),
                reads=bool(one.body) and not one.streams,
                keyed=one.keyed,
                counted=one.counted,
            )
    return {path: ApiEndpoint(given, keys=keys, has_keys=has_keys, rates=rates) for path, given in actions.items()}


def _read_query(raw: bytes, known: tuple[str, ...]) -> Mapping[str, str]:
    out: dict[str, str] = {}
    for name, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True):
        if name not in known:
            raise BadRequest(
                f"There is no query parameter called {name[:80]!r}.",
                where=name[:80],
                expected=f"one of {', '.join(known)}" if known else "no query",
            )
        demand(name not in out, name, "it twice", "it once")
        out[name] = value
    return out


async def _read_object(exchange: Exchange) -> Mapping[str, Any]:
    body = await exchange.read_body(MAX_BODY_BYTES)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("The body is not JSON.", where="body", expected="a JSON object") from None
    if not isinstance(value, dict):
        raise BadRequest("The body is JSON, but not an object.", where="body", expected="a JSON object")
    if _is_deeper(value, _MAX_DEPTH):
        raise BadRequest("The body is nested too deeply.", where="body", expected=f"at most {_MAX_DEPTH} levels")
    return value


def _is_deeper(value: object, most: int) -> bool:
    """Tell whether tables and lists are in each other more than `most` times; without calls that could be too many."""
    level: list[Any] = [value]
    for _ in range(most):
        level = [inside for one in level for inside in (one.values() if isinstance(one, dict) else one)]
        level = [one for one in level if isinstance(one, dict | list)]
    return bool(level)


def texts_in(value: Mapping[str, Any], field: str) -> list[str]:
    """Give the texts of a field that is one text or a list of them; raises BadRequest."""
    given = value.get(field, [])
    texts = [given] if isinstance(given, str) else given
    demand(isinstance(texts, list), field, given, "a text or a list of texts")
    for at, one in enumerate(texts):
        demand(_is_text(one), f"{field}[{at}]", one, "a text, not empty")
    return list(texts)


def text_in(value: Mapping[str, Any], field: str) -> str:
    """Give the text of a field that is there; raises BadRequest."""
    given = value[field]
    demand(_is_text(given), field, given, "a text, not empty")
    return str(given)


def _is_text(value: object) -> bool:
    """Tell whether a value is a text that can be sent: JSON can hold half a character."""
    return isinstance(value, str) and bool(value) and not any("\ud800" <= char <= "\udfff" for char in value)


def demand(holds: object, where: str, got: object, expected: str) -> None:
    """Raise BadRequest with these facts unless it holds."""
    if not holds:
        shown = str(got)[:80]
        raise BadRequest(f"{where}: expected {expected}, got {shown!r}.", where=where, got=shown, expected=expected)


def check_fields(value: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuse what is not a field, rather than read over a mistake; raises BadRequest."""
    for field in value:
        if field not in known:
            raise BadRequest(
                f"There is no field called {field[:80]!r}.", where=field[:80], expected=f"one of {', '.join(known)}"
            )
