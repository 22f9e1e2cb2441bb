"""Render many local files at a time: what `imgserve render` does, without its words and colours."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imgserve.engine.deadline import Deadline
from imgserve.engine.formats import FORMATS
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.pipeline import Rendered, render
from imgserve.errors import ImgserveError
from imgserve.ops.behaviour import Transform
from imgserve.plan.model import Plan
from imgserve.plan.source_text import PLAIN
from imgserve.plan.url import Grammar, parse
from imgserve.service.intents import intent_of

#: Nobody waits for a batch as for a page, but a picture must not hold it up for ever.
DEADLINE_S: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one file: its result, or the reason why there is none."""

    source: Path
    target: Path | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    problem: str = ""


def plan_of(options: Iterable[str], presets: Sequence[str], grammar: Grammar) -> Plan:
    """Read options and presets as a URL would have them, but with everything permitted; raises ImgserveError."""
    own = dataclasses.replace(
        grammar,
        allowed_options=None,
        allow_security_options=True,
        only_presets=False,
        base_url="",
        url_replacements=(),
    )
    names = [grammar.separator.join(["preset", *presets])] if presets else []
    return parse("/".join([*names, *options, PLAIN, "file"]), own)


def render_files(
    files: Sequence[Path], plan: Plan, folder: Path, *, defaults: Intent, config: EngineConfig, jobs: int
) -> Iterator[Outcome]:
    """Render `files` into `folder`, `jobs` at a time, and yield the outcomes in the order of the files.

    A result is named after its source, with the extension of its own format; it never replaces a source, nor the result
    of an earlier file. Threads are enough: libvips computes outside the GIL.
    """
    folder.mkdir(parents=True, exist_ok=True)
    taken = {path.resolve(): path for path in files}
    make = _maker(plan, intent_of(plan, defaults), config)
    with ThreadPoolExecutor(jobs) as threads:
        for source, (bytes_in, made) in zip(files, threads.map(make, files), strict=True):
            if isinstance(made, str):
                yield Outcome(source=source, bytes_in=bytes_in, problem=made)
                continue
            target = folder / (source.stem + FORMATS[made.format].extension)
            if target.resolve() in taken:
                problem = f"{target} would replace {_whose(taken[target.resolve()], target)}"
                yield Outcome(source=source, bytes_in=bytes_in, problem=problem)
                continue
            taken[target.resolve()] = source
            yield _write(made.data, Outcome(source=source, target=target, bytes_in=bytes_in))


def _whose(owner: Path, target: Path) -> str:
    return "a source" if owner.resolve() == target.resolve() else f"the result of {owner}"


def _maker(plan: Plan, intent: Intent, config: EngineConfig) -> Callable[[Path], tuple[int, Rendered | str]]:
    transforms = [one for one in plan.ops if isinstance(one, Transform)]

    def make(source: Path) -> tuple[int, Rendered | str]:
        data = b""
        try:
            data = source.read_bytes()
            deadline = Deadline(DEADLINE_S)
            made = render(data, intent=intent, transforms=transforms, config=config, deadline=deadline)
        except ImgserveError as wrong:
            return len(data), wrong.message
        except OSError as wrong:
            return len(data), f"cannot be read: {wrong.strerror or wrong}"
        return len(data), made

    return make


def _write(data: bytes, outcome: Outcome) -> Outcome:
    """Write a result in one step, so that nobody ever sees half of it."""
    target = outcome.target
    assert target is not None  # noqa: S101 - outcomes of files that were made have one
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as unfinished:
                unfinished.write(data)
            Path(name).chmod(0o666 & ~_umask())
            Path(name).replace(target)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as wrong:
        problem = f"{target} cannot be written: {wrong.strerror or wrong}"
        return dataclasses.replace(outcome, target=None, problem=problem)
    return dataclasses.replace(outcome, bytes_out=len(data))


def _umask() -> int:
    # The only way to read it is to set it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
