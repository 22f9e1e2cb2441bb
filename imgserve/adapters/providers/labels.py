"""Names of what a model tells apart: a file with one a line, or what is built in."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from imgserve.errors import ProviderUnavailable

_COCO_NAMES: Final = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,"
    "bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,"
    "snowboard,sports ball,kite,baseball bat,baseball glove,"
    "skateboard,surfboard,tennis racket,bottle,wine glass,cup,"
    "fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,"
    "refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush"
)

#: The 80 kinds of things of the COCO detection data set, in the order that models number them.
COCO: Final = tuple(_COCO_NAMES.split(","))


class Labels:
    """The names of numbers from 0; a number that has none is called class_<number>.

    Nothing is read by making it; a file that is not there is told by `trouble`.
    """

    def __init__(self, path: str | os.PathLike[str] = "", *, built_in: tuple[str, ...] = ()) -> None:
        self._path = Path(path) if path else None
        self._name = self._path.name if self._path else ""
        self._built_in = built_in

    @property
    def fingerprint(self) -> str:
        """Give 8 hex digits that other names change; they are small files, and read each time."""
        try:
            names = self._read()
        except (OSError, ValueError):
            return "missing"
        return hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]

    def trouble(self) -> str | None:
        try:
            self._read()
        except OSError as exc:
            return f"The file of class names {self._name} cannot be read: {exc.strerror}."
        except ValueError:
            return f"The file of class names {self._name} is not text in UTF-8."
        return None

    def names(self, count: int) -> tuple[str, ...]:
        """Give the names of `count` classes.

        Raises ProviderUnavailable where the file cannot be read.
        """
        trouble = self.trouble()
        if trouble:
            raise ProviderUnavailable(trouble)
        known = self._read()[:count]
        return (*known, *(f"class_{number}" for number in range(len(known), count)))

    def _read(self) -> tuple[str, ...]:
        if self._path is None:
            return self._built_in
        lines = self._path.read_text(encoding="utf-8-sig").splitlines()
        while lines and not lines[-1].strip():
            lines.pop()
        return tuple(line.strip() or f"class_{number}" for number, line in enumerate(lines))
