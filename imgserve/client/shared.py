"""What both clients are made of: where the server is, and the signer of its URLs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from imgserve.client.calls import Target
from imgserve.sign import UrlSigner

#: Of one request, and of all waiting before it is sent again.
TIMEOUT_S: Final = 30.0

#: First argument of a field, or all of them by name.
Argument = bool | float | str | Mapping[str, object]


class Shared:
    """A server as a client knows it; nothing here waits for anything."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str,
        key: str,
        salt: str,
        timeout_s: float,
        signature_size: int,
        arguments_separator: str,
    ) -> None:
        self._target = Target(base_url=base_url, api_key=api_key, timeout_s=timeout_s)
        self.signer = UrlSigner(
            key, salt, base_url=base_url, signature_size=signature_size, arguments_separator=arguments_separator
        )
