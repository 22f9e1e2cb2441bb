"""Signs of life in answers that take long: items as they come, and a beat whenever none has come for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def with_beats(items: AsyncGenerator[T, None], every_s: float) -> AsyncGenerator[T | None, None]:
    """Give the items as they come, and None whenever none has come for so long."""
    async with aclosing(items):
        coming = asyncio.ensure_future(anext(items))
        try:
            while True:
                done, _ = await asyncio.wait((coming,), timeout=every_s)
                if not done:
                    yield None
                    continue
                try:
                    item = coming.result()
                except StopAsyncIteration:
                    return
                coming = asyncio.ensure_future(anext(items))
                yield item
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
