"""Read a Dockerfile and a .dockerignore: as much of both as ours use, and an error for the rest."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

#: HEALTHCHECK and COPY take options before their arguments; nobody else does here.
_OPTION: Final = re.compile(r"--([a-z-]+)=(\S+)\s+")
_KNOWN: Final = (
    "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "RUN", "STOPSIGNAL", "USER", "VOLUME",
    "WORKDIR",
)  # fmt: skip


class Mistake(ValueError):
    """Something that a Dockerfile may not have, or that is not understood here."""


@dataclass(frozen=True)
class Instruction:
    """One instruction, its options apart from its text."""

    name: str
    text: str
    options: dict[str, str] = field(default_factory=dict)
    line: int = 0

    def words(self) -> list[str]:
        """Give the words: of the JSON form as they are, of the shell form as a shell would split them."""
        if self.text.startswith("["):
            given: list[str] = json.loads(self.text)
            return given
        return shlex.split(self.text)

    def pairs(self) -> dict[str, str]:
        """Give the NAME=value pairs of ENV and LABEL."""
        pairs = [word.partition("=") for word in self.words()]
        if not all(equals for _, equals, _ in pairs):
            raise Mistake(f"line {self.line}: {self.name} wants NAME=value")
        return {name: value for name, _, value in pairs}


@dataclass(frozen=True)
class Stage:
    """What is between one FROM and the next."""

    image: str
    name: str
    instructions: tuple[Instruction, ...]

    def last(self, name: str) -> Instruction:
        """Give the instruction of this name that counts; raises Mistake where there is none."""
        found = [one for one in self.instructions if one.name == name]
        if not found:
            raise Mistake(f"the stage from {self.image} has no {name}")
        return found[-1]

    def environment(self) -> dict[str, str]:
        out: dict[str, str] = {}
        for one in self.instructions:
            if one.name == "ENV":
                out |= one.pairs()
        return out


def parse(text: str) -> list[Stage]:
    """Read a Dockerfile; raises Mistake."""
    stages: list[Stage] = []
    for line, name, rest in _logical_lines(text):
        if name == "FROM":
            stages.append(_stage(rest, line))
        elif name not in _KNOWN:
            raise Mistake(f"line {line}: {name} is not known here")
        elif not stages:
            raise Mistake(f"line {line}: {name} before FROM")
        else:
            last = stages[-1]
            stages[-1] = Stage(last.image, last.name, (*last.instructions, _instruction(name, rest, line)))
    if not stages:
        raise Mistake("there is no FROM")
    return stages


def _stage(rest: str, line: int) -> Stage:
    words = rest.split()
    if len(words) == 3 and words[1].upper() == "AS":
        return Stage(words[0], words[2], ())
    if len(words) != 1:
        raise Mistake(f"line {line}: FROM {rest}")
    return Stage(words[0], "", ())


def _instruction(name: str, rest: str, line: int) -> Instruction:
    options: dict[str, str] = {}
    while name in ("COPY", "HEALTHCHECK") and (found := _OPTION.match(rest)):
        options[found[1]] = found[2]
        rest = rest[found.end() :]
    if name == "HEALTHCHECK":
        rest = rest.removeprefix("CMD").strip()
    return Instruction(name, rest, options, line)


def _logical_lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Join continued lines, leave comments out; give (line number, instruction, rest)."""
    parts: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        start = start if parts else number
        parts.append(bare.removesuffix("\\").strip())
        if not bare.endswith("\\"):
            name, _, rest = " ".join(parts).partition(" ")
            yield start, name.upper(), rest.strip()
            parts = []
    if parts:
        raise Mistake(f"line {start}: the last line is continued")


def copied(stage: Stage) -> list[str]:
    """List what a stage copies out of the build context."""
    return [
        source
        for one in stage.instructions
        if one.name == "COPY" and "from" not in one.options
        for source in one.words()[:-1]
    ]


def ignored(path: str, patterns: Sequence[str]) -> bool:
    """Tell whether .dockerignore keeps a path out of the build context; the last pattern that fits counts."""
    out = False
    for pattern in patterns:
        wanted = pattern.removeprefix("!").strip("/")
        parts = path.split("/")
        heads = ["/".join(parts[: at + 1]) for at in range(len(parts))]
        if any(_fits(head, wanted) for head in heads):
            out = not pattern.startswith("!")
    return out


def _fits(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatchcase(path.rpartition("/")[2], pattern[3:])
    # fnmatch's * crosses slashes, Docker's does not.
    return path.count("/") == pattern.count("/") and fnmatch.fnmatchcase(path, pattern)


def read_patterns(file: Path) -> list[str]:
    """Read the patterns of a .dockerignore."""
    lines = (line.strip() for line in file.read_text("utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]
