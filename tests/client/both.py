"""Both clients behind one face, so that one test holds for both."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from imgserve.client import AsyncClient, Client, Job


@dataclass(frozen=True)
class Asker:
    """A client whose methods are awaited, whichever it is: the plain one waits in a thread."""

    client: Client | AsyncClient

    async def __call__(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a method of the client."""
        if isinstance(self.client, Client):
            return await asyncio.to_thread(getattr(self.client, method), *arguments, **named)
        return await getattr(self.client, method)(*arguments, **named)

    async def events(self, id: str, *, at_most: int = 100, **named: Any) -> list[Job]:
        """Give the first events of a job, and leave."""
        if isinstance(self.client, Client):
            return await asyncio.to_thread(self._events, self.client, id, at_most, named)
        out: list[Job] = []
        async with aclosing(self.client.events(id, **named)) as events:
            async for job in events:
                out.append(job)
                if len(out) == at_most:
                    break
        return out

    @staticmethod
    def _events(client: Client, id: str, at_most: int, named: dict[str, Any]) -> list[Job]:
        return [job for _, job in zip(range(at_most), client.events(id, **named), strict=False)]

    async def close(self) -> None:
        await self("close")
