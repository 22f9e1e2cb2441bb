"""Sources as they stand in URLs: plain with percent escapes, or base64url; read and printed."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from imgserve.errors import BadRequest

PLAIN: Final = "plain"

#: What may stay as it is in a printed plain source: all but "@" (format), "?" (query), "%" and "#".
PLAIN_SAFE: Final = "/:!$&'()*+,;=~"

_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NOT_BASE64: Final = re.compile(r"[^A-Za-z0-9_-]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_DOTS: Final = re.compile(r"(?:^|/)\.{1,2}(?:/|$)")


def parse_source(segments: Sequence[str], *, includes_filename: bool = False) -> tuple[str, str]:
    """Read the last segments of a path as a source and its extension, "" where there is none; raises BadRequest.

    With `includes_filename` the last segment of a base64 source is a name for people.
    """
    if not segments or not any(segments):
        raise BadRequest(
            "The source is missing: end the URL with /plain/<source URL> or a base64url-encoded source URL.",
            where="source",
            expected="/plain/<source URL> or base64url",
        )
    if segments[0] == PLAIN and len(segments) > 1:
        return _parse_plain("/".join(segments[1:]))
    return _parse_base64(segments, includes_filename=includes_filename)


def _parse_plain(text: str) -> tuple[str, str]:
    parts = text.split("@")
    if not parts[0]:
        raise BadRequest("The source URL is empty.", where="source")
    if len(parts) > 2:
        raise BadRequest(
            "Several formats are given: a literal @ in a plain source is written %40.", where="source", got=text[:200]
        )
    if _BAD_ESCAPE.search(parts[0]):
        raise BadRequest(
            "The source has a broken percent escape: a literal % is written %25.", where="source", got=parts[0][:200]
        )
    return _source_text(unquote_to_bytes(parts[0].encode("utf-8", "surrogateescape"))), "".join(parts[1:])


def _parse_base64(segments: Sequence[str], *, includes_filename: bool) -> tuple[str, str]:
    if includes_filename and len(segments) > 1:
        segments = segments[:-1]
    parts = "".join(segments).split(".")
    if len(parts) > 2:
        raise BadRequest(
            "Several formats are given: a base64 source is followed by one .<extension> at most.", where="source"
        )
    encoded = parts[0].rstrip("=")
    if _NOT_BASE64.search(encoded):
        raise BadRequest(
            "The source is neither plain/<URL> nor base64url (A-Z a-z 0-9 - _), "
            "or an option before it lacks its arguments.",
            where="source",
            got=parts[0][:80],
            expected="base64url",
        )
    try:
        decoded = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except binascii.Error:
        raise BadRequest("The base64 source is cut short.", where="source", got=encoded[:80]) from None
    return _source_text(decoded), "".join(parts[1:])


def _source_text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("The source URL is not UTF-8 text.", where="source") from None
    if not text or _CONTROL.search(text):
        raise BadRequest("The source URL is empty or has control characters.", where="source")
    return text


def print_source(source: str, *, encode: bool = False) -> str:
    """Print a source as the end of a path, plain or (`encode`) in base64url.

    Raises BadRequest for one that would not arrive as written.
    """
    if encode:
        return base64.urlsafe_b64encode(source.encode()).rstrip(b"=").decode()
    if _DOTS.search(source):
        raise BadRequest(
            "Browsers would resolve the . and .. in this source, and the signature would not fit any more.",
            where="source",
            got=source[:200],
            expected="a URL without them in its path, or base64",
        )
    return f"{PLAIN}/{quote(source, safe=PLAIN_SAFE)}"
