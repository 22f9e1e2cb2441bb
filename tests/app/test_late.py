"""Routes that are made when they are first asked for: once, and again where that failed."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from imgserve.app.late import LateRoutes


async def _answer(_request: Request) -> Response:
    return PlainTextResponse("here")


class Making:
    """Makes a route, as often as it is asked to; the first times fail."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.count = 0

    def __call__(self) -> list[Route]:
        self.count += 1
        if self.count <= self.failures:
            raise OSError("the disk is full")
        return [Route("/", _answer)]


def client(making: Making) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(LateRoutes(making)), base_url="http://images.test")


async def test_routes_are_made_once_for_all_who_ask() -> None:
    making = Making()
    async with client(making) as asking:
        answers = await asyncio.gather(*(asking.get("/") for _ in range(5)))
    assert ([answer.text for answer in answers], making.count) == (["here"] * 5, 1)


async def test_routes_that_could_not_be_made_are_made_for_the_next_request() -> None:
    making = Making(failures=1)
    async with client(making) as asking:
        with pytest.raises(OSError, match="disk"):
            await asking.get("/")
        assert (await asking.get("/")).text == "here"
