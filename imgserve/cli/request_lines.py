"""Lines of a list of URLs or of an access log: what each asks for, but for what the other server refused."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from imgserve.migrate.urls import misread, without_entities

#: A request between quotes, which is the first there is: what follows (referer, user agent) is as clients like it. Load
#: balancers have the status, that of the target and two counts of bytes before it, all others the status behind it.
_LOGGED: Final = re.compile(
    r'[^"]*?(?: ([0-9]{3}) (?:[0-9]{3}|-) [0-9]+ [0-9]+ )?"([A-Z]+) (\S+) HTTP/[0-9.]+"(?: ([0-9]{3})\b)?'
)
_REQUEST: Final = re.compile(r"([A-Z]+) (\S+) HTTP/[0-9.]+")
#: What was no HTTP, or did not come in time, and was told so.
_NO_REQUEST: Final = re.compile(r'[^"]*"[^"]*" [45][0-9]{2}\b')
#: A URL may have blanks in it, a line of a log begins otherwise.
_ALONE: Final = re.compile(r'(?:/|https?:)[^"]*|[^\s"]+', re.IGNORECASE)
#: nginx and Apache write bytes as \xC3, and Apache quotes as \".
_ESCAPE: Final = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))")

_ASKS: Final = ("GET", "HEAD")
_REFUSED: Final = "400"


@dataclass(frozen=True, slots=True)
class Asked:
    """The URL that a line asks for, "" where there is none or the other server refused it."""

    url: str = ""
    #: It was a request in a log, which has pages and scripts as well, and the same URL many times.
    is_logged: bool = False


def asked(line: str) -> Asked:
    """Read one line.

    Raises BadRequest for a line that is neither a URL nor a request with its status: a refused one must not come out
    signed.
    """
    line = line.strip()
    if line.startswith("{"):
        return Asked(_of_json(line), is_logged=True)
    if (found := _LOGGED.match(line)) is not None:
        url = _answered(line, method=found[2], url=_unescaped(found[3]), status=found[4] or found[1])
        return Asked(url, is_logged=True)
    if not line or _NO_REQUEST.match(line):
        return Asked()
    if _ALONE.fullmatch(line):
        return Asked(without_entities(line))
    raise misread(line, "it is neither a URL nor a line of an access log with the request in quotes")


def _of_json(line: str) -> str:
    """Read a log of nginx in JSON: {"request": "GET /a.jpg HTTP/1.1", "status": 200, …}."""
    try:
        told: dict[str, Any] = json.loads(line)
    except ValueError:
        raise misread(line, "it begins as JSON and is none") from None
    found = _REQUEST.fullmatch(str(told.get("request")))
    if found is None:
        raise misread(line, 'a line of JSON has a "request" (GET /a.jpg HTTP/1.1) and a "status"')
    status = str(told.get("status", ""))
    return _answered(line, method=found[1], url=found[2], status=status)


def _answered(line: str, *, method: str, url: str, status: str | None) -> str:
    if method not in _ASKS:
        return ""
    if not re.fullmatch("[1-5][0-9]{2}", status or ""):
        raise misread(line, "its line does not say how it was answered; give the URL alone")
    return url if str(status) < _REFUSED else ""


def _unescaped(text: str) -> str:
    raw = _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else found[2], text.encode())
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise misread(text, "it is no UTF-8") from None
