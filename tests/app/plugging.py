"""Plug-ins for tests: importable with their entry points from a folder, without being installed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parent.parent / "plugin_example"


def describe(folder: Path, name: str, entry_points: Mapping[str, Mapping[str, str]]) -> Path:
    """Write what an installer would about a package, for a folder on sys.path; gives that folder."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [
        line
        for group, entries in entry_points.items()
        for line in (f"[{group}]", *(f"{key} = {target}" for key, target in entries.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


def describe_example(folder: Path) -> Path:
    """Describe the example as its pyproject.toml says."""
    project: dict[str, Any] = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]
    return describe(folder, project["name"], project["entry-points"])
