"""A maker that does what the source of an order says, in the child of a runner: "sleep:2", "die", "raise:BadOption"."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from imgserve import errors
from imgserve.adapters.queue.making import Facts, Report
from imgserve.ports.jobs import JobOrder
from imgserve.ports.models import Ask, Task

MEBIBYTE = 1024 * 1024


def order(name: str, source: str = "write", *, priority: int = 0) -> JobOrder:
    """Give an order that nobody else gives: its id is made of the name."""
    return JobOrder(
        id=hashlib.sha256(name.encode()).hexdigest(),
        source=source,
        asks=(Ask(Task.UPSCALE, "2"), Ask(Task.BACKGROUND)),
        labels=("a", "b"),
        priority=priority,
        webhook="https://example.com/hook",
        owner="me",
        path="/sig/rs:fit:1/plain/x",
    )


def content(id: str) -> bytes:
    """What the result of a job has to be, large enough to be seen half-written."""
    return hashlib.sha256(id.encode()).digest() * 4096


@dataclass(frozen=True)
class Scripted:
    """See the first line; writes results, and who worked when, into a folder."""

    folder: Path

    def make(self, order: JobOrder, progress: Report) -> Facts:
        verb, _, argument = order.source.partition(":")
        with (self.folder / "tries").open("a") as tries:
            tries.write(f"{order.id} {os.getpid()}\n")
        match verb:
            case "sleep":
                self._sleep(float(argument), progress)
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "terminate":
                os.kill(os.getpid(), signal.SIGTERM)
            case "spin":
                hashlib.pbkdf2_hmac("sha512", b"x", b"y", 1_000_000_000)  # in C, which lets no signal in
            case "program":
                with subprocess.Popen(["sleep", "60"]) as program:
                    (self.folder / "program").write_text(str(program.pid))
            case "eat":
                eaten = bytearray(os.urandom(1)) * (int(argument) * MEBIBYTE)
                time.sleep(30)
                del eaten
            case "raise":
                raise getattr(errors, argument)(f"It is {argument}.")
            case "bug":
                raise ZeroDivisionError("secret")
            case "once":
                self._fail_once(order)
        self._write(order)
        return {"pid": os.getpid(), "nice": os.nice(0), "provider": "scripted"}

    @staticmethod
    def _sleep(seconds: float, progress: Report) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            progress("upscale", 1 - left / seconds)
            time.sleep(min(0.02, left))

    def _fail_once(self, order: JobOrder) -> None:
        if (self.folder / "tries").read_text().count(order.id) == 1:
            raise errors.SourceTimeout("Not yet.")

    def _write(self, order: JobOrder) -> None:
        temporary = self.folder / f"{order.id}.{os.getpid()}.part"
        temporary.write_bytes(content(order.id))
        temporary.rename(self.folder / order.id)


def scripted(folder: Path) -> partial[Scripted]:
    """Give a `build` for runners."""
    return partial(Scripted, folder)


def broken() -> Scripted:
    raise RuntimeError("no model")


def tries(folder: Path, id: str) -> list[int]:
    """Give the processes that worked on a job, in turn."""
    file = folder / "tries"
    lines = file.read_text().splitlines() if file.exists() else []
    return [int(line.split()[1]) for line in lines if line.startswith(id)]
