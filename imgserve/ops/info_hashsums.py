"""Hash sums of sources: told by /info, and compared with the one that a URL says."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from imgserve.errors import ImageRefused
from imgserve.ops.info_fields import ANSWER, BytesField
from imgserve.spec.kinds import BadArgument, Choice
from imgserve.spec.op import Op, Stage, op
from imgserve.spec.params import REQUIRED, Param, choice, text
from imgserve.spec.shapes import Many

#: Hex digits of each kind of hash sum.
_DIGITS: Final = {"none": 0, "md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
_HEX: Final = re.compile(r"[0-9a-fA-F]*")
_KINDS: Final = tuple(name for name, digits in _DIGITS.items() if digits)


def _kinds(*, doc: str) -> Any:
    return Param(Many(Choice({name: name for name in _KINDS}), "kinds of hash sums"), REQUIRED, doc)


@op("calc_hashsums", "chs", stage=ANSWER, example="calc_hashsums:md5:sha256")
class CalcHashsums(BytesField):
    """`hashsums` of the source's bytes in hex digits, by kind."""

    kinds: tuple[str, ...] = _kinds(doc="which ones")

    @property
    def wanted(self) -> bool:
        return True

    def told(self, data: bytes) -> dict[str, Any]:
        return {"hashsums": {name: _hex(name, data) for name in _KINDS if name in self.kinds}}


@op("hashsum", "hs", stage=Stage.LIMITS, example="hashsum:md5:cc507f81206a4c7d0a995a07c3d9f43a")
class Hashsum(Op):
    """Refuse a source whose bytes have another hash sum."""

    type: str = choice(*_DIGITS, doc="kind of the sum; `none` checks nothing")
    hashsum: str = text(default="", doc="the sum in hex digits")

    @property
    def wanted(self) -> bool:
        return self.type != "none"

    def validate(self) -> None:
        digits = _DIGITS[self.type]
        if digits and not (len(self.hashsum) == digits and _HEX.fullmatch(self.hashsum)):
            raise BadArgument(self.hashsum, f"{digits} hex digits", field="hashsum")

    def check(self, data: bytes) -> None:
        """Compare with the source; raises ImageRefused. Blocks."""
        if not self.wanted:
            return
        found = _hex(self.type, data)
        if found != self.hashsum.lower():
            raise ImageRefused(
                f"The source has another hash sum ({self.type}) than the URL says.",
                where="hashsum",
                got=found,
                expected=self.hashsum.lower(),
            )


def _hex(kind: str, data: bytes) -> str:
    # It tells whether a file is the one that was meant, which needs no strong hash.
    return hashlib.new(kind, data, usedforsecurity=False).hexdigest()
