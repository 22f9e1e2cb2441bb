"""Pages of this server, /console and /playground: files that hold no data, and ask the API with a key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imgserve.web.edge import Handler
from imgserve.web.exchange import Exchange
from imgserve.web.responses import HTML, Headers, Response

CONSOLE: Final = "/console"

_HERE: Final = Path(__file__).parent
#: What every page has; it is served beside each page's own files, so that their addresses stay relative.
_EVERY_PAGE: Final = _HERE / "page"
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
    """Handler of one file of a page, which browsers keep but ask about each time."""

    headers: Headers
    tag: str
    body: bytes

    async def __call__(self, exchange: Exchange) -> None:
        known = [one.strip().removeprefix("W/") for one in (exchange.header("if-none-match") or "").split(",")]
        if self.tag in known or "*" in known:
            await exchange.send(Response(status=304, headers=self.headers))
        else:
            await exchange.send(Response(headers=self.headers, body=self.body))


@dataclass(frozen=True, slots=True)
class _ToPage:
    """Handler that leads from /console/ to /console: the page's addresses are relative."""

    path: str

    async def __call__(self, exchange: Exchange) -> None:
        headers = (("location", f"..{self.path}"), ("cache-control", "no-cache"))
        await exchange.send(Response(status=308, headers=headers))


def page_handlers(path: str) -> dict[str, Handler]:
    """Read the files of the page at `path`, and give the handlers by path (without the server's prefix)."""
    folders = (_EVERY_PAGE, _HERE / path.removeprefix("/"))
    files = {one.name: one for folder in folders for one in sorted(folder.iterdir()) if one.suffix in _KINDS}
    made = {name: page_file(one.read_bytes(), _KINDS[one.suffix]) for name, one in files.items()}
    page = made.pop(f"{path.removeprefix('/')}.html")
    return {path: page, f"{path}/": _ToPage(path), **{f"{path}/{name}": file for name, file in made.items()}}


def page_file(body: bytes, kind: str) -> PageFile:
    """Make the handler of a file of this content type."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:_TAG_CHARS]}"'
    headers = (
        ("content-type", kind),
        ("cache-control", "no-cache"),
        ("etag", tag),
        ("content-security-policy", _POLICY),
        # Who has opened a page must not keep a hand on it.
        ("cross-origin-opener-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
    )
    return PageFile(headers=headers, tag=tag, body=body)
