"""GET /v1/capabilities: what this server can do, and why not what it cannot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import imgserve
from imgserve.engine.formats import FORMATS
from imgserve.ops.catalog import CATALOG
from imgserve.plan.presets import Presets
from imgserve.ports.models import Provider, Task
from imgserve.web.api import Call
from imgserve.web.exchange import Exchange
from imgserve.web.responses import json_response

#: Providers look at files to say whether they can work.
_KEEP_S: Final = 5.0


class CapabilitiesEndpoint:
    """Handler of the capabilities; what the app knows of its settings is told as it is."""

    def __init__(
        self,
        *,
        providers: Mapping[Task, Provider],
        queue: str,
        pending: str,
        options: int = len(CATALOG.ops),
        plugins: Sequence[str] = (),
        presets: Presets = MappingProxyType({}),
        separator: str = ":",
        signature_size: int = 32,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._providers = providers
        self._queue = queue
        self._pending = pending
        self._options = options
        self._plugins = tuple(plugins)
        self._presets = [
            {"name": one.name, "doc": one.doc, "options": "/".join(op.text(separator) for op in one.ops)}
            for one in presets.values()
        ]
        self._urls = {"separator": separator, "signature_size": signature_size}
        self._clock = clock
        self._lock = asyncio.Lock()
        self._known: Mapping[str, Any] = {}
        self._until = 0.0

    async def __call__(self, exchange: Exchange, call: Call) -> None:
        await exchange.send(json_response(await self.told()))

    async def told(self) -> Mapping[str, Any]:
        """Give what the answer says, found out now or within the last seconds."""
        async with self._lock:
            if not self._known or self._clock() >= self._until:
                # In a thread: files may lie on a slow disk, and pictures in memory must not wait for them.
                self._known = await asyncio.to_thread(self._found)
                self._until = self._clock() + _KEEP_S
        return self._known

    def _found(self) -> dict[str, Any]:
        return {
            "version": imgserve.__version__,
            "providers": {task.value: self._provider(task) for task in Task},
            "formats": {
                "in": [name for name, known in FORMATS.items() if known.load],
                "out": [name for name, known in FORMATS.items() if known.save],
            },
            "options": self._options,
            "plugins": list(self._plugins),
            "presets": self._presets,
            "urls": self._urls,
            "queue": self._queue,
            "pending": self._pending,
        }

    def _provider(self, task: Task) -> dict[str, Any] | None:
        provider = self._providers.get(task)
        if provider is None:
            return None
        known, trouble = provider.capability, provider.trouble()
        return {
            "name": known.name,
            "available": trouble is None,
            "trouble": trouble,
            "basic": known.basic,
            "licence": known.licence or None,
            "remote": known.remote or None,
            "max_pixels": known.max_pixels,
            "timeout_s": known.timeout_s,
        }
