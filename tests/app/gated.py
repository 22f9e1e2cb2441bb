"""A provider whose work takes as long as a test wants: until there is a file `open` in the folder GATED_FOLDER."""

from __future__ import annotations

import os
import time
from pathlib import Path

from imgserve.ports.models import Capability, Mask, Picture, Pixels, Progress, Provider, Task

VARIABLE = "GATED_FOLDER"
_LOOK_S = 0.02


class Gated:
    """Writes the id of its process into `started`, a line for each try; then removes the right half."""

    capability = Capability(task=Task.BACKGROUND, name="gated", identity="gated 1")

    def trouble(self) -> str | None:
        return None

    def run(self, picture: Picture, argument: str, progress: Progress) -> Mask:
        folder = Path(os.environ[VARIABLE])
        with (folder / "started").open("a") as started:
            started.write(f"{os.getpid()}\n")
        while not (folder / "open").exists():
            time.sleep(_LOOK_S)
        return Mask(pixels=Pixels(data=bytes([255, 0]), width=2, height=1, bands=1))

    def close(self) -> None:
        pass


def provider() -> Provider:
    return Gated()


def tries(folder: Path) -> list[int]:
    """Name the processes that have begun to work, one for each try."""
    path = folder / "started"
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []
