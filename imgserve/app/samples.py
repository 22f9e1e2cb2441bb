"""Pictures under the local root, which the playground offers in development."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from imgserve.engine.formats import FORMATS
from imgserve.spec.values import FORMAT_NAMES

#: More is no choice that a person makes at a glance.
MAX_SAMPLES: Final = 24
#: A root can hold millions of files.
_MAX_LOOKED_AT: Final = 2000

_ENDINGS: Final = frozenset(f".{name}" for name, known in FORMAT_NAMES.items() if FORMATS[known].load)


def samples_under(root: str) -> list[str]:
    """Name pictures under `root` as sources, those at its top first; links and hidden files are passed over."""
    if not root:
        return []
    found = (path for path in islice(_files(Path(root)), _MAX_LOOKED_AT) if path.suffix.lower() in _ENDINGS)
    return [f"local:///{path.relative_to(root).as_posix()}" for path in islice(found, MAX_SAMPLES)]


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if not name.startswith(".") and name.isprintable() and not path.is_symlink():
                yield path
