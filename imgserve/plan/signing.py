"""Signatures of paths: imgproxy's HMAC over salt and raw path, with several keys and one spelling only.

itsdangerous makes the HMAC; its own verification is not used, because it decodes base64 leniently and would accept
unlimited spellings of one signature, each of them a cache miss.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from itsdangerous.signer import HMACAlgorithm

from imgserve.errors import BadSignature

#: The customary text in place of a signature when the server checks none.
UNSIGNED = "unsafe"

_ALGORITHM = HMACAlgorithm(hashlib.sha256)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key and its salt, as raw bytes."""

    key: bytes
    salt: bytes

    def sign(self, path: bytes, *, size: int = 32) -> str:
        """Sign `path` (from its leading "/") as unpadded base64url of the first `size` digest bytes."""
        digest = _ALGORITHM.get_signature(self.key, self.salt + path)
        return base64.urlsafe_b64encode(digest[:size]).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Signs with the first pair and verifies with all of them (rotation: newest first).

    No pairs = nothing is verified: the server only starts so with IMGSERVE_ALLOW_UNSIGNED.
    """

    pairs: tuple[KeyPair, ...] = ()
    size: int = 32
    #: Literal texts that are accepted in place of a signature.
    trusted: tuple[str, ...] = ()

    def sign(self, path: str) -> str:
        """Give the signature segment for `path`, which starts with "/"."""
        raw = path.encode("utf-8", "surrogateescape")
        return self.pairs[0].sign(raw, size=self.size) if self.pairs else UNSIGNED

    def verify(self, signature: str, path: str) -> None:
        """Compare as text, in constant time; raises BadSignature."""
        given = signature.encode("utf-8", "surrogateescape")
        if any(hmac.compare_digest(given, text.encode()) for text in self.trusted):
            return
        if not self.pairs:
            self._refuse_option(signature)
            return
        raw = path.encode("utf-8", "surrogateescape")
        matches = [hmac.compare_digest(given, pair.sign(raw, size=self.size).encode()) for pair in self.pairs]
        if not any(matches):
            self._refuse_option(signature)
            raise BadSignature(
                "The signature does not fit this path: sign the path with the server's key and salt.",
                where="signature",
            )

    def _refuse_option(self, signature: str) -> None:
        # A forgotten signature segment turns the first option into one and silently drops it.
        if ":" in signature or signature == "plain":
            missing = "sign the path" if self.pairs else f"put any text before it, for example /{UNSIGNED}/"
            raise BadSignature(
                f"The signature is missing: the first segment, {signature[:80]!r}, looks like an option or a source; "
                f"{missing}.",
                where="signature",
                got=signature[:80],
            )


def key_pairs(keys: Sequence[str], salts: Sequence[str]) -> tuple[KeyPair, ...]:
    """Pair hex-encoded keys with salts; raises ValueError with a sentence when they do not pair or are not hex."""
    if len(keys) != len(salts):
        raise ValueError(f"there are {len(keys)} keys but {len(salts)} salts: each key needs its salt")
    try:
        return tuple(
            KeyPair(binascii.unhexlify(key), binascii.unhexlify(salt)) for key, salt in zip(keys, salts, strict=True)
        )
    except binascii.Error:
        raise ValueError("keys and salts are hex-encoded: an even number of the digits 0-9 and a-f") from None
