"""What the head of a source says of it, read without its pixels."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from imgserve.engine import tags
from imgserve.engine.deadline import Deadline, decoding
from imgserve.engine.formats import FORMATS
from imgserve.engine.intent import EngineConfig, Intent, Limits
from imgserve.engine.load import Opened, check_size, open_source, upright_size

_ORIENTATIONS = range(1, 9)


@contextlib.contextmanager
def open_header(data: bytes, *, limits: Limits, config: EngineConfig, deadline: Deadline) -> Iterator[Opened]:
    """Open a source for a block that reads its head; blocks, for a worker thread.

    Raises UnsupportedImage, ImageRefused (also for what the block finds broken) and RenderTimeout.
    """
    with decoding(deadline):
        deadline.check()
        # Not the operator's defaults: with a thumbnail in the picture's place, all that is told would be of that.
        opened = open_source(data, intent=Intent(limits=limits), config=config, deadline=deadline)
        if not FORMATS[opened.format].vector:
            check_size(*size_of(opened), pages=1, limits=limits)
        yield opened


def size_of(opened: Opened) -> tuple[int, int]:
    """Give width and height of the first page as EXIF wants it seen."""
    return upright_size(opened.image, page_height=opened.image.height)


def orientation_of(opened: Opened) -> int:
    """Give the EXIF orientation, 1 to 8; 1 where there is none or one that means nothing."""
    found = tags.orientation(opened.image)
    return found if found in _ORIENTATIONS else 1
