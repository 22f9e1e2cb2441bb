"""Take an animation apart into frames, and put it together again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import pyvips

from imgserve.engine import tags
from imgserve.engine.frame import Frame

#: Milliseconds a frame is shown where the source does not say.
_DELAY_MS: Final = 40


@dataclass(frozen=True, slots=True)
class Timing:
    delays_ms: tuple[int, ...]
    #: 0 = for ever.
    loops: int

    @staticmethod
    def of(image: pyvips.Image) -> Timing:
        return Timing(tags.integers(image, "delay"), tags.integer(image, "loop", 0))


def each_page(frame: Frame, work: Callable[[Frame], Frame]) -> Frame:
    """Run `work` on every page by itself and join the results, which have one size."""
    timing = Timing.of(frame.image)
    width, height = frame.image.width, frame.image.height // frame.pages
    done: list[Frame] = []
    for index in range(frame.pages):
        page = frame.image.crop(0, index * height, width, height)
        one = work(replace(frame, image=page, pages=1, of_pages=frame.pages, source=None))
        # Frames come out of a sequential source in order; keeping the small ones frees the large.
        done.append(one.in_memory() if min(one.layout.scale_x, one.layout.scale_y) < 1 else one)
    joined = pyvips.Image.arrayjoin([one.image for one in done], across=1)
    return replace(done[0], image=_timed(joined, timing, pages=frame.pages), pages=frame.pages)


def _timed(image: pyvips.Image, timing: Timing, *, pages: int) -> pyvips.Image:
    delays = list(timing.delays_ms[:pages]) or [_DELAY_MS] * pages
    tags.put_integer(image, "page-height", image.height // pages)
    tags.put_integer(image, "n-pages", pages)
    tags.put_integer(image, "loop", timing.loops)
    tags.put_integers(image, "delay", delays)
    return image


def single(image: pyvips.Image) -> pyvips.Image:
    """Make one page of a picture whose source has several: the result is no animation."""
    if not image.get_typeof("n-pages") and not image.get_typeof("page-height"):
        return image
    image = image.copy()
    tags.remove(image, "delay", "loop", "page-height", "n-pages")
    return image
