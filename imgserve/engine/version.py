"""What decides the bytes of results beside plans and settings: the versions of this code and of libvips."""

from __future__ import annotations

import pyvips

from imgserve import __version__


def engine_version() -> str:
    """Name this engine, for keys: the same plan may give other bytes under another name."""
    return f"imgserve {__version__}, libvips {'.'.join(str(pyvips.version(part)) for part in range(3))}"
