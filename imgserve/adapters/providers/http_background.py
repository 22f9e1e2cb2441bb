"""Background removal by a service over HTTP: remove.bg and API4.ai. Pictures leave the machine.

Both are asked for the mask alone, not for the cut-out: it has fewer bytes, and colours stay ours.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from imgserve.adapters.providers.onnx_file import is_installed
from imgserve.adapters.providers.opencv import use_one_thread
from imgserve.adapters.providers.remote import Limits, Remote, host_of
from imgserve.errors import ProviderRefused, ProviderUnavailable
from imgserve.ports.models import Capability, Mask, Picture, Pixels, Progress, Task

#: Longer side of what is sent: 12 megapixels, more than the networks behind these services look at.
_SENT_SIDE: Final = 4000
#: Beginning of a PNG, with width and height at bytes 16 to 24.
_PNG_START: Final = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER: Final = 24
#: A mask larger than this is not decoded: a few bytes of PNG can hold gigabytes.
_MASK_PIXELS: Final = 60_000_000
#: 65,535 / 255.
_TO_8_BITS: Final = 257
#: How much the shape of a mask may differ from that of the picture: sides are whole pixels.
_SHAPE_OFF: Final = 0.02
#: Letters of a foreign explanation that are passed on.
_EXPLAINED: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How one service is asked, and how its answer is read."""

    #: As in settings, and for people.
    name: str
    title: str
    #: Its public address.
    url: str
    path: str
    image_field: str
    fields: Mapping[str, str]
    query: Mapping[str, str]
    #: Name of the header for the key; the first for hosts that end in this, else the last ("").
    key_headers: tuple[tuple[str, str], ...]
    #: Body of a good answer -> image file.
    image_of: Callable[[bytes], bytes]
    #: Body of a refusal -> what it says.
    explain: Callable[[bytes], str]


def _removebg_explains(body: bytes) -> str:
    errors = _json(body).get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    return _plain(first.get("title") or first.get("code")) if isinstance(first, dict) else ""


def _api4ai_explains(body: bytes) -> str:
    status = _api4ai_result(body).get("status")
    return _plain(status.get("message")) if isinstance(status, dict) else ""


def _api4ai_image(body: bytes) -> bytes:
    result = _api4ai_result(body)
    status = result.get("status")
    if isinstance(status, dict) and status.get("code") == "failure":
        raise ProviderRefused(f"API4.ai refuses this picture: {_plain(status.get('message')) or 'it gives no reason'}.")
    entities = result.get("entities")
    for entity in entities if isinstance(entities, list) else []:
        if isinstance(entity, dict) and entity.get("kind") == "image" and isinstance(entity.get("image"), str):
            try:
                return base64.b64decode(entity["image"], validate=True)
            except (binascii.Error, ValueError) as exc:
                raise ProviderUnavailable("API4.ai answered with an image that is not base64.") from exc
    raise ProviderUnavailable("API4.ai answered without an image.")


def _api4ai_result(body: bytes) -> dict[str, Any]:
    results = _json(body).get("results")
    first = results[0] if isinstance(results, list) and results else None
    return first if isinstance(first, dict) else {}


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):  # a bad encoding is a ValueError
        return {}
    return value if isinstance(value, dict) else {}


def _plain(text: object) -> str:
    """Give a foreign explanation as part of a sentence of ours: short, printable, without its full stop."""
    if not isinstance(text, str):
        return ""
    return "".join(letter for letter in text[:_EXPLAINED] if letter.isprintable()).strip().rstrip(".")


SERVICES: Final = {
    "removebg": Service(
        name="removebg",
        title="remove.bg",
        url="https://api.remove.bg",
        path="/v1.0/removebg",
        image_field="image_file",
        fields={"size": "full", "format": "png", "channels": "alpha"},
        query={},
        key_headers=(("", "X-Api-Key"),),
        image_of=bytes,
        explain=_removebg_explains,
    ),
    "api4ai": Service(
        name="api4ai",
        title="API4.ai",
        url="https://background-removal4.p.rapidapi.com",
        path="/v1/results",
        image_field="image",
        fields={},
        query={"mode": "fg-mask"},
        key_headers=((".rapidapi.com", "X-RapidAPI-Key"), ("", "X-API-KEY")),
        image_of=_api4ai_image,
        explain=_api4ai_explains,
    ),
}


class HttpBackground:
    """Remove backgrounds by one of SERVICES; `url` = another address of it, "" = its public one."""

    def __init__(
        self,
        service: str,
        *,
        api_key: str,
        url: str = "",
        max_side: int = _SENT_SIDE,
        limits: Limits | None = None,
        installed: Callable[[str], bool] = is_installed,
    ) -> None:
        self._service = SERVICES[service]
        self._key_given = bool(api_key)
        self._url = (url or self._service.url).rstrip("/")
        self._host = host_of(self._url)
        self._max_side = max_side
        self._limits = limits or Limits()
        self._installed = installed
        header = next(name for end, name in self._service.key_headers if self._host.endswith(end))
        self._remote = Remote(
            self._service.title,
            url=self._url,
            headers={header: api_key},
            limits=self._limits,
            explain=self._service.explain,
        )

    @property
    def capability(self) -> Capability:
        return Capability(
            task=Task.BACKGROUND,
            name=self._service.name,
            identity=f"{self._service.name}:{self._host}:{self._max_side}",
            licence=f"terms of {self._service.title}",
            timeout_s=self._limits.timeout_s,
            remote=self._host,
        )

    def trouble(self) -> str | None:
        if not self._host:
            return f"The address of {self._service.title} is no http(s) URL; check IMGSERVE_BACKGROUND_URL."
        if not self._key_given:
            return f"{self._service.title} needs a key; set IMGSERVE_BACKGROUND_API_KEY."
        if not all(self._installed(library) for library in ("numpy", "cv2")):
            return f"Masks of {self._service.title} are read by the ai extra: pip install 'imgserve[ai]'."
        return None

    def run(self, picture: Picture, argument: str, progress: Progress) -> Mask:
        """Send the picture as JPEG, and give the mask that comes back.

        Raises ProviderRefused where the service sees no object, ProviderUnavailable where it does not answer well.
        """
        trouble = self.trouble()
        if trouble:
            raise ProviderUnavailable(trouble)
        sent = picture.encoded(format="jpeg", max_side=self._max_side)
        progress(0.1)
        service = self._service
        body = self._remote.post(
            service.path,
            fields=service.fields,
            files={service.image_field: ("image.jpg", sent, "image/jpeg")},
            query=service.query,
        )
        progress(0.9)
        return read_mask(service.image_of(body), picture=picture, who=service.title)

    def close(self) -> None:
        self._remote.close()


def read_mask(data: bytes, *, picture: Picture, who: str) -> Mask:
    """Decode a PNG with one band, or with alpha, as the mask of `picture`; `who` sent it."""
    # Here: OpenCV and numpy take 0.4 s and 36 MB, and servers make providers without running them.
    import cv2
    import numpy as np

    _check_size(data, picture=picture, who=who)
    use_one_thread()
    try:
        plane = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        plane = None
    # The stubs leave out that a broken file gives None.
    if plane is None or not plane.size:  # type: ignore[redundant-expr,unused-ignore]
        raise ProviderUnavailable(f"{who} answered with a PNG that cannot be read.")
    if plane.dtype == np.uint16:
        plane = (plane // _TO_8_BITS).astype(np.uint8)
    if plane.ndim == 3:
        plane = plane[..., 3] if plane.shape[2] == 4 else cv2.cvtColor(plane, cv2.COLOR_BGR2GRAY)
    height, width = plane.shape[:2]
    return Mask(pixels=Pixels(data=plane.tobytes(), width=width, height=height, bands=1))


def _check_size(data: bytes, *, picture: Picture, who: str) -> None:
    """Refuse what is no PNG, or none of this picture, before anything is decoded."""
    if len(data) < _PNG_HEADER or not data.startswith(_PNG_START):
        raise ProviderUnavailable(f"{who} answered with what is not a PNG.")
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if not width or not height or width * height > _MASK_PIXELS:
        raise ProviderUnavailable(f"{who} answered with a mask of {width}x{height} pixels.")
    shape = (width / height) / (picture.width / picture.height)
    if abs(shape - 1) > _SHAPE_OFF + 1 / min(width, height):
        raise ProviderUnavailable(
            f"{who} answered with a mask of {width}x{height} for a picture of {picture.width}x{picture.height}."
        )
