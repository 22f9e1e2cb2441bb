"""What lies outside libvips, part by part: reading a URL, headers, handing over to a thread, fetching the source."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from bench.contenders import photo_source
from bench.workshop import PHOTO_NAME
from imgserve import settings as configuration
from imgserve.app.services import Services, build_services
from imgserve.engine.deadline import Deadline
from imgserve.plan.url import parse, split_signature
from imgserve.plan.writing import write
from imgserve.ports import Blob, Origin
from imgserve.service.intents import intent_of
from imgserve.service.validators import source_validator
from imgserve.web.conditions import etag, read_condition
from imgserve.web.http import Negotiation, negotiate, request_id

OPTIONS: Final = "rs:fill:600:400/g:ce/cb:1/q:80/plain/https://shop.example.com/photos/mug.jpg"
#: What Chrome sends for an <img>.
ACCEPT: Final = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
ORIGIN: Final = Origin(
    content_type="image/jpeg", content_length=829_183, etag='"5f3"', last_modified="Thu, 01 Jan 2026 00:00:00 GMT"
)
_KEY: Final = "943b421c9eb07c830af81030552c86009268de4e532ba2ee2eab8247c6da0881"
_SALT: Final = "520f986b998545b4785e0defbc4f3c1203f22de2374a3d53cb7a7fe9fea309c5"

#: A figure is the median over batches; a batch is long enough for the clock and short enough to repeat.
BATCH_S: Final = 0.005


@dataclass(frozen=True, slots=True)
class Part:
    """One step; `call` does it once, and gives an awaitable where the step is asynchronous."""

    name: str
    call: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Figure:
    """Median time of a step in nanoseconds, and how many batches it is taken from."""

    name: str
    median_ns: float
    batches: int


def _services(folder: Path) -> Services:
    """The server's own parts, as `imgserve serve` builds them."""
    return build_services(
        configuration.load(
            {
                "IMGSERVE_KEY": _KEY,
                "IMGSERVE_SALT": _SALT,
                "IMGSERVE_LOCAL_FILESYSTEM_ROOT": str(folder),
                "IMGSERVE_ALLOW_LOOPBACK_SOURCE_ADDRESSES": "true",
            }
        )
    )


def parts(services: Services, origin_port: int) -> tuple[Part, ...]:
    """List every step of a request but the rendering, on a signed URL of usual length."""
    signer, grammar, delivery = services.signer, services.grammar, services.delivery
    signature = signer.sign("/" + OPTIONS)
    raw_path = f"/{signature}/{OPTIONS}".encode()
    plan = parse(OPTIONS, grammar)
    auto = Negotiation(auto=("avif", "webp"))
    renderer = services.renderer
    defaults = renderer.intents.defaults
    http, local = photo_source(origin_port), f"local:///{PHOTO_NAME}"
    validator = source_validator(Blob(data=b"", origin=ORIGIN))

    def headers() -> object:
        return (
            delivery.disposition(plan, ".webp"),
            delivery.common(plan, ORIGIN, now=time.time()),
            etag(renderer.key(plan), validator, delivery.validation),
        )

    return (
        Part("sign a path", lambda: signer.sign("/" + OPTIONS)),
        Part("split and repair a path", lambda: split_signature(raw_path)),
        Part("verify a signature", lambda: signer.verify(signature, "/" + OPTIONS)),
        Part("parse a path to a Plan", lambda: parse(OPTIONS, grammar)),
        Part("write a Plan as a path", lambda: write(plan)),
        Part("key of a Plan", lambda: renderer.key(plan)),
        Part("intent of a Plan", lambda: intent_of(plan, defaults)),
        Part("negotiate by Accept", lambda: negotiate(plan, ACCEPT, auto)),
        Part("read a condition", lambda: read_condition("key", delivery.validation, None, None)),
        Part("make a request id", lambda: request_id(None)),
        Part("headers of a picture", headers),
        Part("hand over to a render thread and back", lambda: renderer.pool.run(_nothing, deadline=Deadline(10))),
        Part(
            "read the photo from the file system",
            lambda: renderer.sources["local"].fetch(local, max_bytes=0, headers={}),
        ),
        Part(
            "fetch the photo over HTTP (kept connection)",
            lambda: renderer.sources["http"].fetch(http, max_bytes=0, headers={}),
        ),
    )


def _nothing() -> None:
    """Stand in for a rendering."""


async def time_part(part: Part, *, seconds: float) -> Figure:
    """Call a step in batches for `seconds`; gives its median."""
    times: list[float] = []
    count = 1
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not times:
        took = await _batch(part, count)
        if took < BATCH_S / 2 and not times:
            count *= 2  # still finding out how many fit into a batch
            continue
        times.append(took / count)
    return Figure(part.name, statistics.median(times) * 1e9, len(times))


async def _batch(part: Part, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        result = part.call()
        if isinstance(result, Awaitable):
            await result
    return time.perf_counter() - start


def measure_parts(folder: Path, origin_port: int, *, seconds: float) -> tuple[Figure, ...]:
    """Time all parts within `seconds` altogether; `folder` holds the photo that the origin serves too."""

    async def main() -> tuple[Figure, ...]:
        services = _services(folder)
        try:
            chosen = parts(services, origin_port)
            return tuple([await time_part(part, seconds=seconds / len(chosen)) for part in chosen])
        finally:
            await services.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def table(figures: tuple[Figure, ...]) -> str:
    """Print the figures as Markdown."""
    width = max(len(figure.name) for figure in figures)
    lines = [f"| {'part':{width}} | median µs |", f"| {'-' * width} | --------- |"]
    lines += [f"| {figure.name:{width}} | {figure.median_ns / 1000:9.2f} |" for figure in figures]
    return "\n".join(lines)
