"""Calls of the server's own functions at a later time, kept through restarts: deliveries of webhooks, tried again.

A call is kept until its handler has returned. Who is killed before that leaves it to a sweep, so a handler may see a
call twice.
"""

from __future__ import annotations

import base64
import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from imgserve.adapters.queue.storage import Storage
from imgserve.ports.jobs import QueueError

#: A handler that has not returned after so long counts as dead, and the call is made again.
CALL_S: Final = 120.0

Handler = Callable[[bytes], None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is to be called, and from when on."""

    kind: str
    payload: bytes
    due_at: float

    def written(self) -> bytes:
        payload = base64.b64encode(self.payload).decode()
        return json.dumps({"kind": self.kind, "payload": payload, "due_at": self.due_at}).encode()


def read_call(data: bytes) -> Call:
    """Read what `written` gave. Raises QueueError."""
    try:
        raw = json.loads(data)
        return Call(kind=str(raw["kind"]), payload=base64.b64decode(raw["payload"]), due_at=float(raw["due_at"]))
    except (ValueError, TypeError, KeyError) as exc:
        raise QueueError("The queue has a call that cannot be read; was it written by another version?") from exc


def schedule(storage: Storage, kind: str, payload: bytes, *, delay_s: float = 0.0, id: str = "") -> None:
    """Have the handler of that kind called with `payload`, by any runner that has it. Raises QueueError.

    Scheduled twice with one `id`, it is one call until that has been made.
    """
    call = Call(kind=kind, payload=payload, due_at=time.time() + delay_s)
    id = id or uuid.uuid4().hex
    with storage.together():
        if storage.calls.put_new(id, call.written()):
            storage.call_line.send(id, delay_s=delay_s)


def make_call(storage: Storage, id: str, handlers: Mapping[str, Handler]) -> None:
    """Make a call that is due, and forget it."""
    data = storage.calls.peek(id)
    if data is None:
        return
    call = read_call(data)
    storage.calls.put(id, Call(kind=call.kind, payload=call.payload, due_at=time.time() + CALL_S).written())
    handler = handlers.get(call.kind)
    if handler is None:
        _log.error("Nobody here handles calls of the kind %s; it is dropped.", call.kind)
    else:
        try:
            handler(call.payload)
        except QueueError:
            raise  # it could not put off what it has to do: it is called again
        except Exception:  # noqa: BLE001 - a bug of the handler, which has its own retries: the next call must not suffer
            _log.exception("A call of the kind %s broke; it is dropped.", call.kind)
    storage.calls.remove(id)
