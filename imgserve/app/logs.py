"""Log lines of requests: one for each, without secrets, and with what its answer says of the cache."""

from __future__ import annotations

import logging
import re
import time
from typing import Any, Final, Protocol

from imgserve.ops.info import INFO
from imgserve.web.exchange import Exchange
from imgserve.web.hot import Hit, LogHit
from imgserve.web.meta import EXPLAIN

access = logging.getLogger("imgserve.access")

_FIRST_CLIENT_ERROR: Final = 400
_FIRST_SERVER_ERROR: Final = 500

#: Longer paths say nothing more to a reader.
_MAX_PATH: Final = 1024
_NOT_VISIBLE: Final = re.compile(r"[^\x21-\x7e]")
#: Name and password in front of a host, and a query (presigned sources keep their secrets there); escaped or not.
_USER: Final = re.compile(r"(:|%3a)((?:/|%2f){2})[^/@]*?(?:@|%40)(?=[^/@]*[/.:])", re.IGNORECASE)
_QUERY: Final = re.compile(r"(\?|%3f)[^@]*", re.IGNORECASE)
#: First segments of routes that are no signatures.
_PLAIN_ROUTES: Final = (".well-known", "v1", "console", "playground")
#: The end of a path that can only be a base64 source.
_BASE64: Final = re.compile(r"(?:/[A-Za-z0-9_=-]+)+(?:\.[A-Za-z0-9]+)?$")


def visible_target(exchange: Exchange, *, prefix: str = "") -> str:
    """Print what a request asked for: its path, and what its query picked."""
    path = visible_path(exchange.raw_path, prefix=prefix, source=exchange.source)
    # An order of a job picks too, in a URL of its own.
    return f"{path}?{exchange.picked}" if exchange.picked and exchange.query else path


def visible_path(raw_path: bytes, *, prefix: str = "", source: str = "") -> str:
    """Print a request path for the log: no signature (a trusted one opens every door), no passwords, no queries.

    A base64 `source` is printed as the URL it stands for, where it is known.
    """
    text = _printed(raw_path[:_MAX_PATH].decode("latin-1"))
    head = prefix if prefix and text.startswith(prefix + "/") else ""
    rest = text[len(head) :]
    route = next((one for one in (EXPLAIN, INFO) if rest.startswith(one + "/")), "")
    head, rest = head + route, rest.removeprefix(route)
    first, slash, path = rest.removeprefix("/").partition("/")
    if not slash or first in _PLAIN_ROUTES:
        return _without_secrets(text)
    if source and "/plain/" not in f"/{path}":
        path = f"{_BASE64.sub('', '/' + path)}/{_printed(source[:_MAX_PATH])}".removeprefix("/")
    return f"{head}/***/{_without_secrets(path)}"


def _printed(text: str) -> str:
    if text.isascii() and text.isprintable() and " " not in text:
        return text
    return _NOT_VISIBLE.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _without_secrets(text: str) -> str:
    if "@" in text or "%40" in text:
        text = _USER.sub(r"\1\2***@", text)
    return _QUERY.sub(r"\1***", text) if "?" in text or "%3" in text else text


class LogAnswer(LogHit, Protocol):
    """Takes answers that went well, and what they say of the cache."""

    def __call__(self, hit: Hit, cache: str = ..., /) -> None: ...


def log_exchange(exchange: Exchange, *, prefix: str = "", fast: LogAnswer | None = None) -> None:
    """Write the line of one request; what goes wrong on our side stands out by its level.

    `fast` takes those that went well.
    """
    status = exchange.status
    if fast is not None and exchange.counted and status < _FIRST_CLIENT_ERROR and not exchange.detail:
        fast(
            Hit(
                visible_target(exchange, prefix=prefix),
                status,
                exchange.sent_bytes,
                time.monotonic() - exchange.started,
                exchange.client,
                exchange.request_id,
                exchange.method,
            ),
            exchange.cache,
        )
        return
    level = logging.INFO if status < _FIRST_CLIENT_ERROR else logging.WARNING
    if status >= _FIRST_SERVER_ERROR:
        level = logging.ERROR
    elif status < _FIRST_CLIENT_ERROR and exchange.raw_path.endswith((b"/health", b"/metrics")):
        # Load balancers ask every second, and Prometheus often; it is news only when the answer is another.
        level = logging.DEBUG
    if not access.isEnabledFor(level):
        return
    path = visible_target(exchange, prefix=prefix)
    facts: dict[str, Any] = {
        "request_id": exchange.request_id,
        "method": exchange.method,
        "path": path,
        "status": status,
        "ms": round((time.monotonic() - exchange.started) * 1000, 1),
        "client_ip": exchange.client,
        "bytes": exchange.sent_bytes,
    }
    if exchange.cache:
        facts["cache"] = exchange.cache
    if exchange.error:
        facts["error"] = exchange.error
    if exchange.detail:
        facts["detail"] = exchange.detail
    access.log(level, "%s %s %d", exchange.method, path, status, extra={"facts": facts})
