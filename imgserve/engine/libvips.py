"""Setting libvips and Pillow up for a server."""

from __future__ import annotations

from typing import Any, Final

import pyvips
from PIL import Image

from imgserve.engine.load import LOADERS

#: libvips tells of every thread pool at INFO: eight calls into Python for each render, 2 to 3 % of its CPU time.
_LOGGED: Final = (
    pyvips.GLogLevelFlags.LEVEL_WARNING
    | pyvips.GLogLevelFlags.LEVEL_CRITICAL
    | pyvips.GLogLevelFlags.LEVEL_ERROR
    | pyvips.GLogLevelFlags.FLAG_FATAL
    | pyvips.GLogLevelFlags.FLAG_RECURSION
)


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
    _log_warnings_only()
    # Sizes are checked here, with the limits of the request; Pillow would print warnings at a bound of its own.
    Image.MAX_IMAGE_PIXELS = None


def _message(text: Any) -> str:
    return "" if text == pyvips.ffi.NULL else pyvips.ffi.string(text).decode("utf-8", "replace")


def _log_warnings_only() -> None:
    """Put pyvips' own log handler in again for fewer levels; it is taken out at exit by the id that pyvips keeps."""
    pyvips._remove_log_handler()  # noqa: SLF001
    pyvips._log_handler_id = pyvips.glib_lib.g_log_set_handler(  # noqa: SLF001
        b"VIPS",
        _LOGGED,
        pyvips._log_handler_cb,  # type: ignore[attr-defined]  # noqa: SLF001
        pyvips.ffi.NULL,
    )
