"""Debian roots to build and run in: made, given access to packages, mounted and removed again."""
# ruff: noqa: S603, S607 - it starts programs of the system, in roots that it made itself

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

SUITE: Final = "bookworm"
PACKAGES: Final = ("python3.11", "python3.11-venv", "ca-certificates")
MIRROR: Final = "http://deb.debian.org/debian"
#: What Docker gives a container that says nothing else.
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: How this machine reaches packages; none of it is in the image of a real build.
ACCESS: Final = ("etc/apt/sources.list.d", "etc/apt/apt.conf.d", "etc/apt/auth.conf.d", "etc/apt/keyrings",
                 "etc/apt/trusted.gpg.d", "etc/pip.conf", "etc/resolv.conf", "etc/hosts",
                 "etc/ssl/certs/ca-certificates.crt")  # fmt: skip


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Failed(Exception):
    """The proof does not hold."""


def check(holds: bool, what: str) -> None:
    """Say what was looked at; raises Failed when it is not so."""
    if not holds:
        raise Failed(what)
    say(f"  ok  {what}")


# Roots


def mirror() -> str:
    """Find where this machine has Debian from."""
    for file in (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")):
        if (
            file.suffix in (".list", ".sources")
            and file.exists()
            and (
                found := re.search(
                    r"^(?:URIs:|deb)\s+(?:\[.*?\]\s+)?(\S*/debian)/?\s", file.read_text("utf-8"), re.MULTILINE
                )
            )
        ):
            return found[1]
    return MIRROR


def make_base(root: Path) -> None:
    """Make what stands for python:3.11-slim-bookworm."""
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(root), mirror()],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if made.returncode:
        raise Failed(f"debootstrap: {made.stdout[-2000:]}")
    give_access(root)
    run(root, ["apt-get", "update", "-qq"], {})
    run(
        root,
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES],
        {"DEBIAN_FRONTEND": "noninteractive"},
    )
    shutil.rmtree(root / "var/lib/apt/lists")
    run(root, ["apt-get", "clean"], {})
    # Debian marks its Python as not for pip; the image's own is under /usr/local, and so is this one.
    run(root, ["python3.11", "-m", "venv", "/usr/local"], {})


def give_access(root: Path) -> None:
    for name in ACCESS:
        source, target = Path("/") / name, root / name
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(
                source, target, ignore=shutil.ignore_patterns("*.disabled*", "docker-clean", "docker-gzip*")
            )
        elif source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copyfile(source, target)


def copy_root(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", "--reflink=auto", f"{source}/.", str(target)], check=True)


def size_mb(root: Path) -> int:
    out = subprocess.run(["du", "-sxm", str(root)], capture_output=True, text=True, check=True).stdout
    return int(out.split()[0])


@contextlib.contextmanager
def mounted(root: Path, *more: tuple[list[str], str]) -> Iterator[None]:
    """Mount /proc in a root, and more: (arguments of mount, place). debootstrap has made the devices that count."""
    done: list[Path] = []
    try:
        for how, place in ((["-t", "proc", "proc"], "proc"), *more):
            where = root / place
            subprocess.run(["mount", *how, str(where)], check=True)
            if "remount" not in how[-1]:
                done.append(where)
        yield
    finally:
        for where in reversed(done):
            subprocess.run(["umount", "--lazy", str(where)], check=True)


def remove(folder: Path) -> None:
    """Remove the roots; never through a mount that was left behind."""
    if f" {folder}/" in Path("/proc/self/mounts").read_text():
        raise Failed(f"something is still mounted in {folder}")
    shutil.rmtree(folder)


def run(root: Path, words: list[str], environment: Mapping[str, str], *, cwd: str = "/") -> None:
    """Run a step as root inside a root; raises Failed with what it said."""
    with mounted(root):
        done = subprocess.run(
            ["chroot", str(root), "env", "-i", f"--chdir={cwd}", *assigned({"PATH": PATH, **environment}), *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise Failed(f"{' '.join(words)[:200]} ended with {done.returncode}:\n{done.stdout[-4000:]}")


def assigned(environment: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]
