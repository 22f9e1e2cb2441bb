"""The console at /console: a page that holds no data, asks for an API key and shows the jobs of this server."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imgserve.web.edge import Handler
from imgserve.web.exchange import Exchange
from imgserve.web.responses import HTML, Headers, Response

CONSOLE: Final = "/console"

_FOLDER: Final = Path(__file__).parent / "console"
_PAGE: Final = "console.html"
_KINDS: Final = {
    ".html": HTML,
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}

#: The page runs its own scripts, asks its own server, and makes no markup of data: browsers refuse all else.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)

#: Characters of a digest in an ETag: 64 bits, against mistakes and not against attackers.
_TAG_CHARS: Final = 16


@dataclass(frozen=True, slots=True)
class PageFile:
    """Handler of one file of the console, which browsers keep but ask about each time."""

    headers: Headers
    tag: str
    body: bytes

    async def __call__(self, exchange: Exchange) -> None:
        known = [one.strip().removeprefix("W/") for one in (exchange.header("if-none-match") or "").split(",")]
        if self.tag in known or "*" in known:
            await exchange.send(Response(status=304, headers=self.headers))
        else:
            await exchange.send(Response(headers=self.headers, body=self.body))


async def _to_the_page(exchange: Exchange) -> None:
    """Lead from /console/ to /console: the page's addresses are relative."""
    headers = (("location", f"..{CONSOLE}"), ("cache-control", "no-cache"))
    await exchange.send(Response(status=308, headers=headers))


def console_handlers() -> dict[str, Handler]:
    """Read the console's files, and give the handlers by path (without the server's prefix)."""
    files = {path.name: _read(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _KINDS}
    page = files.pop(_PAGE)
    assets: dict[str, Handler] = {f"{CONSOLE}/{name}": file for name, file in files.items()}
    return {CONSOLE: page, f"{CONSOLE}/": _to_the_page, **assets}


def _read(path: Path) -> PageFile:
    body = path.read_bytes()
    tag = f'"{hashlib.sha256(body).hexdigest()[:_TAG_CHARS]}"'
    headers = (
        ("content-type", _KINDS[path.suffix]),
        ("cache-control", "no-cache"),
        ("etag", tag),
        ("content-security-policy", _POLICY),
        ("referrer-policy", "no-referrer"),
    )
    return PageFile(headers=headers, tag=tag, body=body)
