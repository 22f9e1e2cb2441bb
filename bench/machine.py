"""Facts that a figure is worth nothing without: the machine, the versions, the command line."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pyvips

import imgserve
from bench.cores import Cores
from bench.peers.install import peer_named


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def machine_facts(cores: Cores) -> dict[str, str]:
    return {
        "processor": _processor(),
        "cores": f"{os.cpu_count()}; server under test on {cores.server}, load and origin on {cores.load}",
        "system": f"{platform.system()} {platform.release()}",
    }


def versions(peers: tuple[str, ...]) -> dict[str, str]:
    found = {
        "imgserve": imgserve.__version__,
        "python": platform.python_version(),
        "libvips": ".".join(str(pyvips.version(part)) for part in range(3)),
        **{name: version(name) for name in ("pyvips", "starlette", "uvicorn", "uvloop", "httptools")},
    }
    for name in peers:
        found |= _peer_versions(name)
    return found


def _peer_versions(name: str) -> dict[str, str]:
    folder = peer_named(name).folder
    if name == "thumbor":
        answer = subprocess.run(
            [str(folder / "venv/bin/pip"), "list", "--format=json", "--disable-pip-version-check"],
            capture_output=True,
            check=True,
        )
        installed = {package["name"].lower(): package["version"] for package in json.loads(answer.stdout)}
        return {"thumbor": installed["thumbor"], "thumbor's pillow": installed["pillow"]}
    packages = {package: folder / "node_modules" / package / "package.json" for package in ("ipx", "sharp")}
    node = subprocess.run(["node", "--version"], capture_output=True, check=True, text=True).stdout.strip()
    return {"node": node, **{name: json.loads(file.read_text())["version"] for name, file in packages.items()}}


def command_line() -> str:
    return shlex.join(["python", "-m", "bench", *sys.argv[1:]])
