"""Setting libvips and Pillow up for a server."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyvips
from PIL import Image

from imgserve.engine.load import LOADERS


def configure_libvips() -> None:
    """Set libvips and Pillow up; once per process, before the first picture, never before a fork.

    One thread per operation (renders run side by side), no operation cache (every picture is new), and only the loaders
    that are meant to read untrusted bytes.
    """
    pyvips.concurrency_set(1)  # type: ignore[attr-defined] # missing in the stubs
    pyvips.cache_set_max(0)
    pyvips.cache_set_max_mem(0)
    pyvips.cache_set_max_files(0)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader in LOADERS:
        pyvips.operation_block_set(loader, False)
    # libvips puts pieces of broken files into its messages, and pyvips fails on those that are not UTF-8: its error
    # would become another one, and a warning a traceback on stderr.
    pyvips._to_string = pyvips.error._to_string = _message  # type: ignore[assignment]  # noqa: SLF001
    # pyvips' log handler runs Python inside libvips, with its locks held: a garbage collection there frees pictures and
    # the process aborts. It also takes the GIL eight times a render, 2 to 3 % of the CPU time.
    pyvips._remove_log_handler()  # noqa: SLF001
    # Sizes are checked here, with the limits of the request; Pillow would print warnings at a bound of its own.
    Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class Tracked:
    """What libvips has taken by its own account; most of it are pixels."""

    bytes: int
    most_bytes: int
    allocations: int


def tracked() -> Tracked:
    """Ask libvips what it has taken in this process; zeros where it cannot be asked."""
    return Tracked(*(ask() for ask in _trackers()))


@functools.cache
def _trackers() -> tuple[Callable[[], int], ...]:
    names = ("vips_tracked_get_mem", "vips_tracked_get_mem_highwater", "vips_tracked_get_allocs")
    if not pyvips.API_mode:
        return tuple(int for _ in names)
    # pyvips does not declare them: through the library that its own module has loaded.
    import _libvips  # type: ignore[import-not-found]

    library = ctypes.CDLL(_libvips.__file__)
    found = [library[name] for name in names]
    for function in found:
        function.restype = ctypes.c_size_t
    return tuple(found)


def _message(text: Any) -> str:
    return "" if text == pyvips.ffi.NULL else pyvips.ffi.string(text).decode("utf-8", "replace")
