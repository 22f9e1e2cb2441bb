"""Processes beside this one in tests: work that keeps one busy for minutes, and what the kernel knows of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path

import pyvips

from imgserve.engine.beside import BesideProcess
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.sharing import Variant
from imgserve.engine.variants import Outcome
from tests.engine.pictures import photo, png

#: An encoder that is not asked for anything before it has finished: minutes of a CPU.
LONG = Variant(intent=Intent(format="avif"))
LONG_CONFIG = EngineConfig(avif_speed=0)
#: Many times what it takes to decode the source of it.
_DECODED_AFTER_S = 0.5

#: In proc(5) stat, counted from the state on.
_CPU_TIMES, _THREADS = slice(11, 13), 17


def long_source() -> bytes:
    return png(pyvips.Image.gaussnoise(2000, 2000, seed=1).cast("uchar").copy(interpretation="b-w"))


def waited_for(true: Callable[[], bool], *, seconds: float) -> bool:
    """Look again and again whether something is so; tells whether it became so in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.01)
    return true()


def alive(pid: int) -> bool:
    """Tell whether it runs; one that has ended may stay in the table until somebody asks for its exit code."""
    fields = _fields(pid)
    return bool(fields) and (fields[0] not in "ZX" or int(fields[_THREADS]) > 1)


def cpu_time_s(pid: int) -> float:
    return sum(map(int, _fields(pid)[_CPU_TIMES])) / os.sysconf("SC_CLK_TCK")


async def at_work(process: BesideProcess) -> tuple[asyncio.Task[list[Outcome]], int]:
    """Let it encode for minutes; gives the task that waits for it, and the process that is inside of the encoder."""
    await made(process, png(photo()), [Variant(intent=Intent(width=20))])
    pid = pid_of(process)
    before_s = cpu_time_s(pid)
    work = asyncio.create_task(made(process, long_source(), [LONG], config=LONG_CONFIG))
    assert await asyncio.to_thread(waited_for, lambda: cpu_time_s(pid) > before_s + _DECODED_AFTER_S, seconds=60)
    return work, pid


async def made(
    process: BesideProcess, source: bytes, variants: Sequence[Variant], *, config: EngineConfig | None = None
) -> list[Outcome]:
    async with aclosing(process.render(source, variants, config=config or EngineConfig())) as outcomes:
        return [one async for one in outcomes]


def pid_of(process: BesideProcess) -> int:
    assert process._process is not None
    assert process._process.pid is not None
    return process._process.pid


def stay() -> None:
    """Step behind nobody: where a test waits for work, and others use the CPU."""


def children(pid: int) -> list[int]:
    """Give the processes that it started, without the one that tracks what spawned processes share."""
    # An entry for each thread: a process is the child of the one that started it.
    lists = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    found = [int(child) for some in lists for child in some]
    return [child for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def _fields(pid: int) -> list[str]:
    """Read proc(5) stat from the state on; nothing of a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
