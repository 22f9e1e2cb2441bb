"""Installs the peers into folders of the workshop, at fixed versions so that figures can be had again."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.workshop import WORKSHOP


@dataclass(frozen=True, slots=True)
class Peer:
    """A server of somebody else's; `proof` exists in `folder` once it is installed."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    proof: str

    @property
    def folder(self) -> Path:
        return WORKSHOP / self.name

    @property
    def installed(self) -> bool:
        return (self.folder / self.proof).exists()


PEERS: Final = (
    Peer(
        name="thumbor",
        commands=(
            (sys.executable, "-m", "venv", "venv"),
            ("venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", "thumbor==7.8.0", "pillow==12.3.0"),
        ),
        proof="venv/bin/thumbor",
    ),
    Peer(
        name="ipx",
        commands=(
            ("npm", "init", "--yes", "--silent"),
            ("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "ipx@3.1.1", "sharp@0.34.5"),
        ),
        proof="node_modules/ipx/package.json",
    ),
)


def peer_named(name: str) -> Peer:
    """Raises ValueError for a name that is none."""
    for peer in PEERS:
        if peer.name == name:
            return peer
    raise ValueError(f"got {name!r}, expected a list of {', '.join(peer.name for peer in PEERS)}")


def install() -> None:
    """Install every peer that is not there yet, from PyPI and npm."""
    for peer in PEERS:
        if peer.installed:
            print(f"{peer.name}: installed in {peer.folder}")
            continue
        print(f"{peer.name}: installing into {peer.folder}", flush=True)
        peer.folder.mkdir(parents=True, exist_ok=True)
        for command in peer.commands:
            subprocess.run(command, cwd=peer.folder, check=True, stdout=subprocess.DEVNULL)
