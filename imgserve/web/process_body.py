"""The body of POST /v1/process, read within bounds: a form with a file in it, or JSON."""

from __future__ import annotations

import asyncio
import binascii
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from imgserve.errors import BadRequest, BodyTypeRefused, SourceTooLarge
from imgserve.ports import Announce
from imgserve.web.api import demand
from imgserve.web.exchange import Exchange

IMAGE: Final = "image"
FORM: Final = "multipart/form-data"
JSON: Final = "application/json"

#: All beside the picture, and one field of it; ten outputs with options of the longest take less.
_MAX_REST_BYTES: Final = 1 << 20
_MAX_FIELD_BYTES: Final = 64 * 1024
#: Far more than there are fields, as `presets` may be there several times.
_MAX_FIELDS: Final = 32
#: Between two turns of the event loop.
_PIECE_BYTES: Final = 256 * 1024
#: Where IMGSERVE_MAX_SRC_FILE_SIZE gives no bound: a body lies in memory, a source need not.
_MOST_BYTES: Final = 512 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessBody:
    """What was sent; values are as in JSON, whatever the body was."""

    fields: Mapping[str, Any]
    image: bytes | None = field(default=None, repr=False)


async def read_process_body(exchange: Exchange, *, max_image_bytes: int, announce: Announce) -> ProcessBody:
    """Read the body; `max_image_bytes` 0 = no bound of the operator, `announce` is told its length, as for sources.

    Raises BodyTypeRefused (415), SourceTooLarge (413), BadRequest and ClientGone.
    """
    kind = (exchange.header("content-type") or "").partition(";")[0].strip().lower()
    if kind not in (FORM, JSON):
        raise BodyTypeRefused(
            f"The body is {kind[:80] or 'of no type'!r}; send a form with the file ({FORM}) or JSON ({JSON}).",
            where="Content-Type",
            got=kind[:80],
            expected=f"{FORM} or {JSON}",
        )
    max_bytes = max_image_bytes or _MOST_BYTES
    # Base64 makes four characters of three bytes.
    encoded = max_bytes if kind == FORM else -(-max_bytes // 3) * 4
    data = await _within(exchange, encoded + _MAX_REST_BYTES, max_bytes, announce)
    body = await _read_form(exchange, data) if kind == FORM else _read_json(data)
    if body.image is not None and len(body.image) > max_bytes:
        raise _too_large(max_bytes)
    return body


async def _within(exchange: Exchange, max_bytes: int, max_image_bytes: int, announce: Announce) -> bytes:
    told = exchange.header("content-length") or ""
    length = int(told) if told.isdecimal() and told.isascii() else None
    if length is not None and length > max_bytes:
        raise _too_large(max_image_bytes)
    announce(length)
    try:
        data = await exchange.read_body(max_bytes)
    except BadRequest:
        raise _too_large(max_image_bytes) from None
    announce(len(data))
    return data


def _too_large(max_bytes: int) -> SourceTooLarge:
    return SourceTooLarge(
        f"The picture is larger than {max_bytes} bytes (IMGSERVE_MAX_SRC_FILE_SIZE).",
        where=IMAGE,
        expected=f"at most {max_bytes} bytes",
    )


def _read_json(data: bytes) -> ProcessBody:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise BadRequest("The body is not JSON.", where="body", expected="a JSON object") from None
    if not isinstance(value, dict):
        raise BadRequest("The body is JSON, but not an object.", where="body", expected="a JSON object")
    given = value.pop(IMAGE, None)
    return ProcessBody(fields=value, image=_decoded(given) if given is not None else None)


def _decoded(text: object) -> bytes:
    """Decode base64, strictly: what is cut short or garbled in a text must not become half a picture."""
    demand(isinstance(text, str) and text, IMAGE, type(text).__name__, "a picture as base64, a text that is not empty")
    head, comma, rest = str(text).partition(",")
    if head[:5].lower() == "data:":
        demand(
            comma and head.lower().endswith(";base64"),
            IMAGE,
            head[:80],
            "a data: URL in base64 (data:image/…;base64,…)",
        )
        text = rest
    try:
        return binascii.a2b_base64(str(text), strict_mode=True)
    except ValueError as wrong:
        raise BadRequest(
            f"image: this is not base64 ({wrong}); it is read without line breaks and with its padding.",
            where=IMAGE,
            expected="base64 (A-Z a-z 0-9 + / and = at the end)",
        ) from None


class _Parser(MultiPartParser):
    """Keeps files in memory, within the bound of the body, and sees to it that the form has an end."""

    #: No file on disk: 0 = never.
    spool_max_size = 0

    def __init__(self, content_type: str, data: bytes) -> None:
        headers = Headers({"content-type": content_type})
        bounds = {"max_files": 1, "max_fields": _MAX_FIELDS, "max_part_size": _MAX_FIELD_BYTES}
        super().__init__(headers, self._pieces(data), **bounds)
        self._ended = False

    def on_end(self) -> None:
        self._ended = True

    async def _pieces(self, data: bytes) -> AsyncGenerator[bytes, None]:
        for at in range(0, len(data), _PIECE_BYTES):
            yield data[at : at + _PIECE_BYTES]
            await asyncio.sleep(0)
        if not self._ended:
            # Here, so that the parser closes the file that it has begun.
            raise MultiPartException("it ends before its last boundary, cut short on its way.")


async def _read_form(exchange: Exchange, data: bytes) -> ProcessBody:
    try:
        form = await _Parser(exchange.header("content-type") or "", data).parse()
    except MultiPartException as wrong:
        raise BadRequest(f"The form cannot be read: {wrong.message}", where="body", expected=FORM) from None
    try:
        return ProcessBody(fields=_fields(form), image=await _file(form))
    finally:
        await form.close()


async def _file(form: FormData) -> bytes | None:
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            demand(name == IMAGE, name[:80], "a file", f"the file in the field {IMAGE}")
            return await value.read()
    return None


def _fields(form: FormData) -> dict[str, Any]:
    """Give the fields as JSON would have them."""
    out: dict[str, Any] = {}
    for name in form:
        texts = [value for value in form.getlist(name) if isinstance(value, str)]
        demand(name != IMAGE or not texts, IMAGE, "a text", "a file, with a file name (curl -F image=@mug.jpg)")
        if texts:
            out[name] = _value(name, texts[0]) if len(texts) == 1 else texts
    return out


def _value(name: str, text: str) -> Any:
    if name == "timeout" or text.startswith(("[", "{")):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            demand(None, name, text, "a number" if name == "timeout" else "JSON, as it begins like that")
    return text
