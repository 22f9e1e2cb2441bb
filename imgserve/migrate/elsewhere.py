"""URLs that no dialect translates although they are of image servers, and what to do with them."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Final

from imgserve.migrate.urls import Given, misread
from imgserve.ops.catalog import CATALOG
from imgserve.plan.choices import CHOOSE

#: Ends of hosts -> why nothing is translated.
_HOSTS: Final = {
    ".imagedelivery.net": "pictures that are stored with Cloudflare have no source elsewhere; export them first, then "
    "sign URLs of where they are",
    ".imgix.net": "imgix URLs are not translated; sign a URL of the origin that imgix reads, with options of "
    "docs/options.md",
}
#: Of imgproxy and imgserve: HMAC-SHA256 as base64url.
_SIGNATURE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
#: A folder may be called "plain", too.
_PLAIN: Final = re.compile(r"plain/[a-z0-9]+(?::|%3A)/", re.IGNORECASE)
#: Segments before a signature: the path that the server is mounted at, and /info.
_MOUNT_SEGMENTS: Final = 3


def refuse_hosts(given: Given) -> None:
    """Raise BadRequest for a URL of a service that no dialect is of."""
    for end, why in _HOSTS.items():
        if f".{given.host}".endswith(end):
            raise misread(given.text, why)


def refuse_own(given: Given) -> None:
    """Raise BadRequest for a URL in the grammar of imgproxy, which is that of imgserve."""
    segments = given.path.lstrip("/").split("/")
    for at in range(min(len(segments) - 1, _MOUNT_SEGMENTS + 1)):
        options = list(takewhile(_is_option, segments[at + 1 :]))
        rest = "/".join(segments[at + 1 + len(options) :])
        if _PLAIN.match(rest) or (options and _SIGNATURE.fullmatch(segments[at])):
            raise misread(
                given.text,
                "nothing has to be translated: it is of imgproxy or imgserve, and its path works here as it is; sign "
                "it anew with `imgserve sign <all that follows the signature>`",
            )


def _is_option(segment: str) -> bool:
    name, colon, _ = segment.partition(":")
    return bool(colon) and (name in CATALOG.by_name or name == CHOOSE)
