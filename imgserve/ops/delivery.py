"""Options of the answer around the picture: file name, expiry, cache buster. None of them changes its bytes."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
from collections.abc import Sequence

from imgserve.spec.kinds import BadArgument
from imgserve.spec.op import Op, Stage, op
from imgserve.spec.params import flag, integer, text, texts

#: The year 9999: later times have no HTTP date.
MAX_TIMESTAMP = 253_402_300_799

#: What a file name may have and still stand in a URL segment as it is.
_SAFE_NAME = re.compile(r"[A-Za-z0-9._~-]+")

#: What can stand in Cache-Tag (between commas) and in Surrogate-Key (between spaces).
_TAG = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAX_TAGS = 32


@op("cachebuster", "cb", stage=Stage.DELIVERY, example="cachebuster:v2")
class Cachebuster(Op):
    """Any text: it makes another URL of the same picture, for caches in front of the server."""

    value: str = text(default="", doc="any text")


@op("cache_tags", "ct", stage=Stage.DELIVERY, example="cache_tags:sale:summer")
class CacheTags(Op):
    """Tags that a purge, here or in a CDN, finds the picture by."""

    tags: tuple[str, ...] = texts(noun="tags", doc="letters, digits and - _ . of ASCII, 64 at most each")

    def validate(self) -> None:
        if len(self.tags) > _MAX_TAGS:
            raise BadArgument(f"{len(self.tags)} tags", f"at most {_MAX_TAGS} tags", field="tags")
        for tag in self.tags:
            if not _TAG.fullmatch(tag):
                raise BadArgument(tag, "tags of letters, digits and - _ . of ASCII, at most 64 of them", field="tags")


@op("expires", "exp", stage=Stage.DELIVERY, example="expires:32503669200")
class Expires(Op):
    """The URL stops working at this time; the answer's freshness ends with it."""

    timestamp: int = integer(max=MAX_TIMESTAMP, doc="seconds since 1970 (Unix time), 0 or less = never")


@op("filename", "fn", stage=Stage.DELIVERY, example="filename:product")
class Filename(Op):
    """The name under which browsers save the picture, without extension."""

    name: str = text(max_length=255, doc="the name")
    encoded: bool = flag(default=False, doc="whether the name is base64url-encoded")

    def validate(self) -> None:
        if self.encoded:
            self.spec.params["name"].kind.check(self._decoded())

    def expand(self) -> Sequence[Op]:
        return (dataclasses.replace(self, name=self._decoded(), encoded=False),) if self.encoded else (self,)

    def _decoded(self) -> str:
        try:
            return base64.b64decode(self.name + "=" * (-len(self.name) % 4), altchars=b"-_", validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            raise BadArgument(self.name, "a name in base64url", field="name") from None

    def arguments(self) -> list[str]:
        if _SAFE_NAME.fullmatch(self.name):
            return super().arguments()
        return [base64.urlsafe_b64encode(self.name.encode()).rstrip(b"=").decode(), "1"]


@op("return_attachment", "att", stage=Stage.DELIVERY, example="return_attachment:1")
class ReturnAttachment(Op):
    """Have browsers save the picture in place of showing it."""

    attachment: bool = flag(doc="whether to save")


OPS: tuple[type[Op], ...] = (Cachebuster, CacheTags, Expires, Filename, ReturnAttachment)
