"""Pictures under the local root, which the playground offers in development."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import PurePath
from typing import Final

from imgserve.engine.formats import FORMATS
from imgserve.spec.values import FORMAT_NAMES

#: More is no choice that a person makes at a glance.
MAX_SAMPLES: Final = 24
#: Files and folders: a root can hold millions of either.
MAX_LOOKED_AT: Final = 2000

_ENDINGS: Final = frozenset(f".{name}" for name, known in FORMAT_NAMES.items() if FORMATS[known].load)


def samples_under(root: str) -> list[str]:
    """Name pictures under `root` as sources, those at its top first; only plain files that are not hidden are named."""
    if not root:
        return []
    found = (path for path in _files(root) if PurePath(path).suffix.lower() in _ENDINGS)
    return [f"local:///{PurePath(path).relative_to(root).as_posix()}" for path in islice(found, MAX_SAMPLES)]


def _files(root: str) -> Iterator[str]:
    """Walk through plain files folder by folder, each in order, until MAX_LOOKED_AT entries were seen."""
    waiting, left = [root], MAX_LOOKED_AT
    while waiting and left > 0:
        entries = _entries(waiting.pop(), most=left)
        left -= len(entries)
        seen = [one for one in entries if _is_shown(one.name)]
        yield from (one.path for one in seen if one.is_file(follow_symlinks=False))
        waiting += [one.path for one in reversed(seen) if one.is_dir(follow_symlinks=False)]


def _is_shown(name: str) -> bool:
    # What is behind a question mark is no part of a source's path.
    return not name.startswith(".") and name.isprintable() and "?" not in name


def _entries(folder: str, *, most: int) -> list[os.DirEntry[str]]:
    # A folder that may not be read, or is gone meanwhile, has no pictures to offer.
    with suppress(OSError), os.scandir(folder) as there:
        return sorted(islice(there, most), key=lambda one: one.name)
    return []
