"""Purges told to the other processes of one machine, through two files.

`purges.count` is mapped into memory: how many purges there were, how long the log was after the last, a check of the
two, and when the file took the place of one that was lost. `purges.log` has a line of JSON for each purge. A publisher
counts first, then writes its line, then notes the length; all under a lock that readers share. So whoever dies in
between leaves a count that the log does not explain, and readers take that, as anything else they cannot explain, for
EVERYTHING. No purge is lost; at worst a cache is emptied.

Deleted or overwritten files are noticed: by who publishes at once, by others when they look whether they are there.
Until then those watch a file that nobody writes any more, so a publisher does not return before all must have looked.
(A process that was started in the very second of the deletion knows of no others, and does not wait.) Only cutting
`purges.count` to nothing in place, by hand, is a crash (SIGBUS) of a process that looks at it in that instant.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import mmap
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from imgserve.ports import EVERYTHING, Selector, StoreError

#: A log longer than this is cut to its newer half.
MAX_LOG_BYTES = 1 << 20
#: How often `changed` looks whether the files are still there; in between, it only reads memory.
LOOK_S = 1.0
#: What a reader may take from its question to its answer, on top.
LOOK_SLACK_S = 0.1
#: How long a publisher or reader waits for another's lock, held for less than a millisecond.
PATIENCE_S = 5.0

_WORDS = 4
_COUNT, _LENGTH, _CHECK, _RENEWED = range(_WORDS)
_MASK = (1 << 64) - 1
#: An odd constant (2^64 divided by the golden ratio): zeros and copied words do not pass for a state.
_SALT = 0x9E3779B97F4A7C15

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _News:
    """What a reader has found, and what it will have been told when it is given that."""

    selectors: Sequence[Selector]
    count: int
    loss: object


class FileBulletin:
    """See ports.Bulletin. What is published before it is made is no news to it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "purges.log"
        self._state = _open(folder)
        self._seen = self._state.words[_COUNT]
        #: One object for each time the files were lost, and the last of them that was told. Compared, never counted:
        #: threads may set it at the same time.
        self._loss = self._told_loss = object()
        self._look_at = time.monotonic() + LOOK_S
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bulletin-file")

    def changed(self) -> bool:
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            if not self._state.is_at(self._folder):
                self._loss = object()
        return self._state.words[_COUNT] != self._seen or self._loss is not self._told_loss

    async def publish(self, selector: Selector) -> None:
        unseen_s = await self._run(lambda: self._publish(selector))
        if unseen_s > 0:
            await asyncio.sleep(unseen_s)  # not in the thread, where news are waited for

    async def news(self) -> Sequence[Selector]:
        """See ports.Bulletin. What a cancelled caller was not given, the next one is."""
        found = await self._run(self._news)
        # Only now: of one who is cancelled the thread cannot know, and this line is not reached.
        self._seen, self._told_loss = found.count, found.loss
        return found.selectors

    async def close(self) -> None:
        self._thread.shutdown(wait=False)

    async def _run(self, job: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, job)
        except OSError as exc:
            raise StoreError(f"The purge bulletin: {exc}") from exc

    def _publish(self, selector: Selector) -> float:
        """Write it; gives the seconds for which others may not see it."""
        line = json.dumps([selector.label, selector.prefix])
        with self._locked(fcntl.LOCK_EX) as words:
            length = self._sound_length(words)
            count = (words[_COUNT] + 1) & _MASK
            words[_COUNT] = count  # from here on readers know that there is something, whatever happens to the line
            with contextlib.suppress(OSError):  # a full disk, say: told as EVERYTHING, which is told
                if length is None or length > MAX_LOG_BYTES:
                    self._rewrite(b"" if length is None else _newer_half(self._log.read_bytes()))
                with self._log.open("ab") as log:
                    log.write(f"{count} {line}\n".encode())
                    log.flush()
                    words[_LENGTH] = log.tell()
                words[_CHECK] = _check(words)
            return self._unseen_s(words)

    def _unseen_s(self, words: memoryview) -> float:
        if not words[_RENEWED]:
            return 0.0
        age_s = (time.monotonic_ns() - words[_RENEWED]) / 1e9
        # A negative age is that of a boot before, or garbage: nobody is left from then.
        return LOOK_S + LOOK_SLACK_S - age_s if age_s >= 0 else 0.0

    def _news(self) -> _News:
        with self._locked(fcntl.LOCK_SH) as words:
            count, seen, loss = words[_COUNT], self._seen, self._loss
            is_sound = self._sound_length(words) is not None
            text = self._log.read_bytes() if is_sound and count != seen else b""
        if loss is not self._told_loss:
            return _News([EVERYTHING], count, loss)
        if count == seen:
            return _News([], count, loss)
        found = _entries(text, seen, count) if is_sound and count > seen else None
        return _News([EVERYTHING] if found is None else found, count, loss)

    def _sound_length(self, words: memoryview) -> int | None:
        """Give the log's length, None when count and log do not belong together."""
        try:
            length = self._log.stat().st_size
        except FileNotFoundError:
            return None
        return length if words[_CHECK] == _check(words) and words[_LENGTH] == length else None

    def _rewrite(self, text: bytes) -> None:
        temporary = self._log.with_suffix(".tmp")  # under the lock, so there is one writer
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(text)
        temporary.replace(self._log)

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[memoryview]:
        while True:
            self._renew()
            state = self._state
            with state.locked(how):
                if state.is_at(self._folder):  # not deleted while the lock was waited for
                    yield state.words
                    return

    def _renew(self) -> None:
        """Open the files again when somebody has deleted them; what was missed meanwhile nobody knows."""
        if not self._state.is_at(self._folder):
            self._state = _open(self._folder)
            self._loss = object()
            with self._state.locked(fcntl.LOCK_EX):
                # Also of a file that a new process has made: it knows of no one who watches another.
                if not self._state.words[_RENEWED]:
                    self._state.words[_RENEWED] = time.monotonic_ns()


class _State:
    """The mapped file. It stays mapped while `changed` may look at it, and goes with this object."""

    def __init__(self, handle: int) -> None:
        facts = os.fstat(handle)
        self._handle = handle
        self._identity = facts.st_dev, facts.st_ino
        with self.locked(fcntl.LOCK_EX):
            if os.fstat(handle).st_size != 8 * _WORDS:
                # A random count: a reader of a file that was here before must not find its own number in this one.
                count = secrets.randbits(62)
                os.ftruncate(handle, 8 * _WORDS)
                os.pwrite(handle, count.to_bytes(8, "little"), 0)
        self.words = memoryview(mmap.mmap(handle, 8 * _WORDS)).cast("Q")

    def __del__(self) -> None:
        os.close(self._handle)

    def is_at(self, folder: Path) -> bool:
        try:
            facts = (folder / "purges.count").stat()
        except OSError:
            return False
        # Cut or lengthened by hand, it is not ours any more either.
        return (facts.st_dev, facts.st_ino) == self._identity and facts.st_size == 8 * _WORDS

    @contextlib.contextmanager
    def locked(self, how: int) -> Iterator[None]:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                fcntl.flock(self._handle, how | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.002)
        try:
            yield
        finally:
            fcntl.flock(self._handle, fcntl.LOCK_UN)


def _open(folder: Path) -> _State:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    return _State(os.open(folder / "purges.count", flags, 0o600))


def _check(words: memoryview) -> int:
    return ((words[_COUNT] ^ _SALT) * _SALT + words[_LENGTH]) & _MASK


def _entries(text: bytes, seen: int, count: int) -> list[Selector] | None:
    """Read the entries after `seen` up to `count`; None when one is missing or not readable."""
    wanted = count - seen
    lines = text.splitlines()[-wanted:]
    found = []
    try:
        for number, line in enumerate(lines, count - len(lines) + 1):
            written, _, selector = line.partition(b" ")
            label, prefix = json.loads(selector)
            if int(written) != number or not isinstance(label, str) or not isinstance(prefix, bool):
                return None
            found.append(Selector(label, prefix))
    except (ValueError, TypeError):
        return None
    return found if len(found) == wanted else None


def _newer_half(text: bytes) -> bytes:
    return text[text.find(b"\n", len(text) // 2) + 1 :]
