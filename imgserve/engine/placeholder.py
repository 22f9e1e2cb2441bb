"""A tiny picture that stands for a picture while it loads: a WebP of some hundred bytes, as a data URL."""

from __future__ import annotations

import base64
from typing import Any, Final

import pyvips

from imgserve.engine.small import Small

#: Blurred, colours are all that is seen of it: below this, 60 bytes less, jeans turn from blue to green.
_QUALITY: Final = 80
#: Edges of what is transparent are blurred too.
_ALPHA_QUALITY: Final = 40
#: Of these pictures the slowest encoding takes a millisecond.
_EFFORT: Final = 6
#: Nothing is so high that it would have to be shown higher, and a strip of 1 x 1000 would cost as much as a photo.
_MAX_RATIO: Final = 4


def placeholder(small: Small, width: int) -> str:
    """Give the picture at this width as a data URL, less wide where it is more than four times as high."""
    image = small.within(width, width * _MAX_RATIO).image
    options: dict[str, Any] = {"Q": _QUALITY, "effort": _EFFORT, "alpha_q": _ALPHA_QUALITY, "keep": "none"}
    data: bytes = pyvips.Operation.call("webpsave_buffer", image, **options)
    return "data:image/webp;base64," + base64.b64encode(data).decode()
