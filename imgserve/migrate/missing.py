"""What imgserve has no option for, and what to do instead: sentences that several dialects share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

COLOURS: Final = "imgserve does not change the colours of a picture; keep an edited source"
OVERLAY: Final = "a URL cannot name a second picture; the server's own is put over it with watermark"
ANIMATION: Final = (
    "how many frames are read is a limit of the server: IMGSERVE_MAX_ANIMATION_FRAMES, or the option "
    "max_animation_frames where IMGSERVE_ALLOW_SECURITY_OPTIONS is on"
)
FRESHNESS: Final = "how long answers stay fresh is the server's: IMGSERVE_TTL, or the origin's own Cache-Control"
FALLBACK: Final = "what stands in for a picture that fails is the server's: IMGSERVE_FALLBACK_IMAGE_URL"
ENCODER: Final = "how formats are encoded is the server's: see the settings on encoders"
OUTSIDE: Final = "the picture covers the box and is cut to it; there it hangs over"
FACTS: Final = "it asks for facts, not for a picture: /info/<signature>/<options>/<source> answers those"
PAGES: Final = "the first page or frame of a source is read, no other"

PARTS: Final = {
    "debug": "boxes are drawn with draw_detections:1",
    "meta": FACTS,
    "params": "it explains a URL: GET /explain does, where IMGSERVE_DEVELOPMENT is on",
}
FILLS: Final = {"auto": "no colour is taken from the picture", "blur": "no blurred copy is laid under the picture"}


def colours(css: str) -> str:
    """Say that colours stay, and which filter of CSS changes them in the page."""
    return f"{COLOURS}, or let the page do it (CSS filter: {css})"


def watermark(arguments: Sequence[str]) -> str:
    """Say what a watermark at (x, y, transparency in percent) is here; its picture is the server's."""
    x, y, alpha = (*arguments, "", "", "")[:3]
    shown = 100 - int(alpha) if alpha.isdecimal() and len(alpha) <= 3 else 100
    opacity = f"{min(100, max(0, shown)) / 100:g}"
    if "repeat" in (x, y):
        place = "re"
    else:
        vertical = {"center": "", "bottom": "so"}.get(y, "so" if y.startswith("-") else "no")
        horizontal = {"center": "", "right": "ea"}.get(x, "ea" if x.startswith("-") else "we")
        place = vertical + horizontal or "ce"
    offsets = ":".join(one.lstrip("-") if one.lstrip("-").isdecimal() else "0" for one in (x, y))
    return (
        f"the watermark's picture is the server's: with IMGSERVE_WATERMARK_URL, watermark:{opacity}:{place}:{offsets} "
        "puts it there"
    )
