"""The client for programs on asyncio: as `Client`, and its methods are awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from imgserve.client import calls
from imgserve.client.calls import Call, Patience, Texts
from imgserve.client.errors import ApiError, Unreachable, api_error, unreachable
from imgserve.client.shared import TIMEOUT_S, Argument, Shared
from imgserve.client.streams import Following, Warming
from imgserve.client.values import Job, JobPage, Order, OrderedJob, Processed, Purged, Warmed

T = TypeVar("T")


class AsyncClient(Shared):
    """Speaks to one server, in any number of tasks; arguments and errors are those of `Client`."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str = "",
        key: str = "",
        salt: str = "",
        timeout_s: float = TIMEOUT_S,
        signature_size: int = 32,
        arguments_separator: str = ":",
        http: httpx.AsyncClient | None = None,
    ) -> None:
        super().__init__(
            base_url,
            api_key=api_key,
            key=key,
            salt=salt,
            timeout_s=timeout_s,
            signature_size=signature_size,
            arguments_separator=arguments_separator,
        )
        self._http = http or httpx.AsyncClient()
        self._owns = http is None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections, unless they are those of a client that was given."""
        if self._owns:
            await self._http.aclose()

    async def submit(
        self, source: str, *options: str, presets: Sequence[str] = (), priority: int = 0, webhook: str = ""
    ) -> tuple[OrderedJob, ...]:
        """Order the AI steps of a picture ahead; gives a job for each artefact that it needs.

        The same again is the same job. `webhook` is told when a job ends, `priority` is -100 to 100.
        """
        order = Order(source=source, options=options, presets=presets, priority=priority, webhook=webhook)
        return await self.submit_many([order])

    async def submit_url(self, url: str, *, priority: int = 0, webhook: str = "") -> tuple[OrderedJob, ...]:
        """Order the AI steps of a signed image URL ahead, as `submit`."""
        return await self.submit_many([Order(path=url, priority=priority, webhook=webhook)])

    async def submit_many(self, orders: Sequence[Order]) -> tuple[OrderedJob, ...]:
        """Send up to 100 orders; all are checked before any is taken. `order` of a job says which one it is of."""
        return await self._do(calls.submit(orders))

    async def get(self, id: str) -> Job:
        """Tell of a job."""
        return await self._do(calls.get(id))

    async def wait(
        self, id: str, *, timeout_s: float | None = None, on_event: Callable[[Job], object] | None = None
    ) -> Job:
        """Give a job when it has ended, well or not; `on_event` is called with each change, the end too.

        Raises JobTimeout after `timeout_s`, or up to five seconds later.
        """
        async with aclosing(self.events(id, timeout_s=timeout_s)) as events:
            async for last in events:
                if on_event is not None:
                    on_event(last)
        return last

    async def events(self, id: str, *, timeout_s: float | None = None) -> AsyncGenerator[Job, None]:
        """Give a job as it is, and at each change until it has ended; a connection that is cut is made again.

        Raises JobTimeout after `timeout_s`, or up to five seconds later.
        """
        following = Following(id, timeout_s=timeout_s)
        while True:
            cause: ApiError | Unreachable | None = None
            try:
                async with self._lines(calls.follow(id, timeout_s=following.silence_s)) as lines:
                    async for line in lines:
                        job = following.line(line)
                        if job is not None:
                            yield job
                        if following.ended:
                            return
            except (ApiError, Unreachable) as cut:
                cause = cut
            await asyncio.sleep(following.cut(cause))

    async def list(self, *, state: str = "", limit: int | None = None, after: str = "") -> JobPage:
        """Give a page of jobs, youngest first; `after` is the `next` of the page before."""
        return await self._do(calls.page(state=state, limit=limit, after=after))

    async def cancel(self, id: str) -> Job:
        """Cancel a job that has not ended."""
        return await self._do(calls.cancel(id))

    async def retry(self, id: str) -> Job:
        """Begin a job that failed or was cancelled anew."""
        return await self._do(calls.retry(id))

    async def purge(
        self,
        *,
        source: Texts = (),
        prefix: Texts = (),
        tag: Texts = (),
        preset: Texts = (),
        everything: bool = False,
    ) -> Purged:
        """Forget what is kept of sources, of sources that begin so, of tags, of presets; or everything."""
        call = calls.purge(source=source, prefix=prefix, tag=tag, preset=preset, everything=everything)
        return await self._do(call)

    async def warm(
        self,
        sources: Texts,
        *,
        presets: Texts = (),
        options: Texts = (),
        widths: Sequence[int] = (),
        formats: Texts = (),
        accept: Texts = (),
        dpr: Sequence[float] = (),
        on_line: Callable[[Mapping[str, Any]], object] | None = None,
    ) -> Warmed:
        """Have results made ahead, every list multiplied with every other; `on_line` is called with each result.

        A result that failed is told of, not raised; Unreachable is raised where the answer is cut.
        """
        call = calls.warm(
            sources, presets=presets, options=options, widths=widths, formats=formats, accept=accept, dpr=dpr
        )
        warming = Warming()
        async with self._lines(call) as lines:
            async for line in lines:
                result = warming.line(line)
                if result is not None and on_line is not None:
                    on_line(result)
        return warming.whole()

    async def process(
        self,
        image: bytes = b"",
        *,
        source: str = "",
        presets: Sequence[str] | None = None,
        outputs: Texts | Mapping[str, Mapping[str, Any]] | None = None,
        output: str = "",
        format: str = "",
        wait_s: float | None = None,
    ) -> Processed:
        """Have a picture finished in one call: `image` is sent, or `source` is fetched by the server.

        `outputs` are names, or outputs of your own as {"tile": {"options": ["w:300"]}}; with `output="base64"` the
        pictures are in the answer. `wait_s` is how long AI steps are waited for. It is not sent again by itself.
        """
        return await self._do(
            calls.process(
                image=image,
                source=source,
                presets=presets,
                outputs=outputs,
                output=output,
                format=format,
                wait_s=wait_s,
            )
        )

    async def capabilities(self) -> dict[str, Any]:
        """Tell what the server can do, as in docs/api.md."""
        return await self._do(calls.capabilities())

    async def info(self, source: str, *options: str, base64: bool = False, **fields: Argument) -> dict[str, Any]:
        """Tell facts of a picture, as in docs/info.md: `info(source, "exif:0", faces=True, classify=3)`.

        What a model has not looked at yet is missing, and its job is in `pending`. Raises BadOption.
        """
        return await self._do(calls.info(self.signer.info_url(source, *options, base64=base64, **fields)))

    async def _do(self, call: Call[T]) -> T:
        return call.answer(await self._sent(call))

    async def _sent(self, call: Call[T], *, stream: bool = False) -> httpx.Response:
        """Send until it is not refused for now."""
        patience = Patience(self._target.timeout_s)
        while True:
            try:
                answer = await self._http.send(self._target.request(self._http, call), stream=stream)
                if not answer.is_success:
                    await answer.aread()
            except httpx.RequestError as exc:
                raise unreachable(exc) from exc
            wait_s = patience.wait_s(call, answer)
            if wait_s is None:
                return answer
            await asyncio.sleep(wait_s)

    @asynccontextmanager
    async def _lines(self, call: Call[None]) -> AsyncIterator[AsyncIterator[str]]:
        answer = await self._sent(call, stream=True)
        try:
            if not answer.is_success:
                raise api_error(answer)
            yield _translated(answer)
        finally:
            await answer.aclose()


async def _translated(answer: httpx.Response) -> AsyncIterator[str]:
    try:
        async for line in answer.aiter_lines():
            yield line
    except httpx.RequestError as exc:
        raise unreachable(exc) from exc
