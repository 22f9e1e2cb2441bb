"""Take the render threads of a server away for a while, and wait for what is on its way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from imgserve.engine.deadline import Deadline
from imgserve.engine.pool import RenderPool


async def block(pool: RenderPool) -> Callable[[], None]:
    """Occupy every render thread, and give the function that lets them go again."""
    gate = threading.Event()
    running = threading.Semaphore(0)

    def hold() -> None:
        running.release()
        gate.wait()

    tasks = [asyncio.create_task(pool.run(hold, deadline=Deadline(60))) for _ in range(pool.threads)]
    for _ in tasks:
        await asyncio.to_thread(running.acquire)

    def release() -> None:
        gate.set()

    return release


async def until(true: Callable[[], bool]) -> None:
    """Let others run until something is so; fails after half a minute."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - the state is that of code under test, which has no event for it
            await asyncio.sleep(0)
