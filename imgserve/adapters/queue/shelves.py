"""What the queue keeps, as huey's storage gives it: shelves of records by key, and lines of messages."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from huey import Huey  # type: ignore[import-untyped]
from huey.api import Task  # type: ignore[import-untyped]
from huey.constants import EmptyData  # type: ignore[import-untyped]
from huey.registry import Message  # type: ignore[import-untyped]
from huey.serializer import Serializer  # type: ignore[import-untyped]

#: Keys of one question: SQLite before 3.32 takes no more than 999 variables.
KEYS_AT_ONCE: Final = 500

#: Around questions to the storage: turns its errors into QueueError.
Asking = Callable[[], contextlib.AbstractContextManager[None]]


class JobMessage(Task):  # type: ignore[misc]
    """A job is to be worked on: its id and generation."""


class CallMessage(Task):  # type: ignore[misc]
    """A call is due: its id."""


class JsonSerializer(Serializer):  # type: ignore[misc]
    """Messages as JSON: huey's pickles would let everybody who can write to the Redis run code in the workers."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps([data.name, data.id, data.priority, data.args]).encode()

    def _deserialize(self, data: bytes) -> Message:
        name, id, priority, args = json.loads(data)
        return Message(id=id, name=name, priority=priority, args=tuple(args), kwargs={})


class JobsHuey(Huey):  # type: ignore[misc]
    """huey by the clock of the world: its own schedule counts local time, which jumps and differs by machine."""

    def _get_timestamp(self) -> datetime:
        return datetime.now(UTC)


class Shelf:
    """Records of one kind by key. Each method raises QueueError."""

    def __init__(self, raw: Any, asking: Asking) -> None:
        self._raw = raw
        self._asking = asking

    def peek(self, key: str) -> bytes | None:
        with self._asking():
            value = self._raw.peek_data(key)
        return None if value is EmptyData else value

    def peek_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for start in range(0, len(keys), KEYS_AT_ONCE):
            with self._asking():
                found |= self._raw.peek_many(keys[start : start + KEYS_AT_ONCE])
        return found

    def put(self, key: str, value: bytes) -> None:
        with self._asking():
            self._raw.put_data(key, value)

    def put_new(self, key: str, value: bytes) -> bool:
        """Put it unless there is one; says whether it did. Of many who try at once, one does."""
        with self._asking():
            return bool(self._raw.put_if_empty(key, value))

    def pop(self, key: str) -> bytes | None:
        with self._asking():
            value = self._raw.pop_data(key)
        return None if value is EmptyData else value

    def remove(self, key: str) -> bool:
        """Says whether it was there; of many who try at once, one hears so."""
        with self._asking():
            return bool(self._raw.delete_data(key))

    def items(self) -> dict[str, bytes]:
        with self._asking():
            return dict(self._raw.result_items())

    def size(self) -> int:
        with self._asking():
            return int(self._raw.result_store_size())

    def count(self, key: str, by: int = 1) -> int:
        """Add to a counter, which is no record, and give what it is then."""
        with self._asking():
            return int(self._raw.incr(key, by))

    def uncount(self, key: str) -> None:
        with self._asking():
            self._raw.delete_counter(key)


class Line:
    """Messages of one kind, waiting for a worker or for their time. Each method raises QueueError."""

    def __init__(self, huey: Huey, kind: type[Task], asking: Asking) -> None:
        self.huey = huey
        self._kind = kind
        self._asking = asking
        huey._registry.register(kind)  # noqa: SLF001 - its decorator wants a function, which only workers have

    def send(self, *args: str | int, priority: int = 0, delay_s: float = 0.0) -> None:
        message = self._kind(args=args, id=".".join(map(str, args)), priority=priority)
        with self._asking():
            if delay_s <= 0:
                self.huey.enqueue(message)
                return
            due = datetime.now(UTC) + timedelta(seconds=delay_s)
            self.huey.storage.add_to_schedule(self.huey.serialize_task(message), due)

    def receive(self) -> tuple[Any, ...] | None:
        """Take the first message; Redis is waited for, READ_S at most. Raises ValueError for what is none of ours."""
        with self._asking():
            data = self.huey.storage.dequeue()
        if data is None:
            return None
        args: tuple[Any, ...] = self.huey.serializer.deserialize(data).args
        return args

    def move_due(self) -> None:
        """Let those wait whose time has come; who is killed in the middle of it leaves the rest to a sweep."""
        with self._asking():
            for message in self.huey.read_schedule():
                self.huey.enqueue(message)

    def waiting(self) -> int:
        with self._asking():
            return int(self.huey.storage.queue_size()) + int(self.huey.storage.schedule_size())

    def present(self) -> set[str]:
        """Give the arguments of all messages, joined by dots."""
        with self._asking():
            found = [*self.huey.storage.enqueued_items(), *self.huey.storage.scheduled_items()]
        present: set[str] = set()
        for data in found:
            with contextlib.suppress(ValueError, TypeError, LookupError):  # none of ours: dropped when it comes up
                present.add(str(json.loads(data)[1]))
        return present
