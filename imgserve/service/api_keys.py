"""Keys of the /v1 API: named, hashed at rest, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping

from imgserve.errors import Forbidden


class ApiKeys:
    """`digests` has the SHA-256 of each key by its name.

    A plain hash is enough, as keys are 256 random bits and not passwords: nobody can try them all.
    """

    def __init__(self, digests: Mapping[str, str]) -> None:
        self._digests = {name: digest.encode() for name, digest in digests.items()}

    def name_of(self, authorization: str) -> str:
        """Give the name of the key in an Authorization header; raises Forbidden."""
        if not self._digests:
            raise Forbidden(
                "This server has no API keys: make one with `imgserve keygen --api-key <name>`.", where="Authorization"
            )
        scheme, _, token = authorization.partition(" ")
        digest = digest_of(token.strip()).encode()
        # All are compared, whichever fits: the time must not tell which name was right.
        fits = [name for name, known in self._digests.items() if hmac.compare_digest(digest, known)]
        if scheme.lower() != "bearer" or not fits:
            raise Forbidden("The API wants the header Authorization: Bearer <key>.", where="Authorization")
        return fits[0]


def new_key() -> str:
    """Make a key."""
    return secrets.token_urlsafe(32)


def digest_of(key: str) -> str:
    """Give what is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
