"""The API as both clients have it, over a socket to the real app; workers are played by the test."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from imgserve.client import ApiError, AsyncClient, Client, Job, JobTimeout, Order, Unreachable
from imgserve.plan.needs import Need
from imgserve.ports.jobs import JobError, JobState
from imgserve.ports.models import Ask, Task
from tests.client.both import Asker
from tests.client.conftest import Connect
from tests.running import free_port
from tests.web.jobs_server import API_KEY, JobsServer, Setup
from tests.web.test_jobs_events import listening

SOURCE = "https://shop.test/a.jpg"
CUT = "remove_background:1"


@dataclass(frozen=True)
class Live:
    """The app, and a client of it."""

    server: JobsServer
    ask: Asker
    url: str

    async def order(self, source: str = SOURCE) -> str:
        [job] = await self.ask("submit", source, CUT)
        return str(job.id)


@pytest.fixture
async def live(connect: Connect) -> AsyncIterator[Live]:
    server = JobsServer(Setup(beat_s=0.1))
    async with listening(server) as port:
        url = f"http://127.0.0.1:{port}"
        yield Live(server, connect(url, api_key=API_KEY), url)


def test_both_clients_have_the_same_methods_arguments_and_words() -> None:
    def told(kind: type) -> dict[str, tuple[object, str | None]]:
        methods = {name: one for name, one in vars(kind).items() if not name.startswith("_")}
        return {name: (inspect.signature(one).parameters, one.__doc__) for name, one in methods.items()}

    assert told(Client) == told(AsyncClient)
    assert len(told(Client)) > 10


async def test_an_order_is_a_job_with_all_that_the_server_tells(live: Live) -> None:
    webhook = "https://shop.test/hook"
    [job] = await live.ask("submit", SOURCE, CUT, "rs:fit:600:600", presets=["cut"], priority=10, webhook=webhook)
    assert (job.state, job.task, job.priority, job.owner) == ("queued", "background", 10, "tests")
    assert (job.source, job.order, job.webhook_waits) == (SOURCE, 0, True)
    assert job.url.endswith("/pr:cut/remove_background:1/rs:fit:600:600/plain/" + SOURCE)
    assert job.created_at.timestamp() == live.server.queue.now
    assert live.server.queue.jobs[job.id].order.webhook == webhook
    got = await live.ask("get", job.id)
    assert type(got) is Job
    assert (got.id, got.state, got.url, got.ended) == (job.id, "queued", job.url, False)


async def test_a_signed_url_is_ordered_as_well(live: Live) -> None:
    [job] = await live.ask("submit_url", live.url + live.server.signed(f"/{CUT}/plain/{SOURCE}"), priority=-5)
    assert job.id == await live.order()
    assert job.priority == -5


async def test_many_orders_are_one_request(live: Live) -> None:
    orders = [Order(source=SOURCE, presets=["cut"]), Order(source=SOURCE, options=["upscale:2", "gravity:obj:face"])]
    jobs = await live.ask("submit_many", orders)
    assert [(job.order, job.task) for job in jobs] == [(0, "background"), (1, "upscale"), (1, "faces")]


async def test_a_list_comes_in_pages(live: Live) -> None:
    ids = [await live.order(f"https://shop.test/{name}.jpg") for name in "abc"]
    live.server.queue.end(ids[0], JobState.DONE)
    page = await live.ask("list", limit=2)
    assert [job.id for job in page.jobs] == [ids[2], ids[1]]
    assert page.counts["done"] == 1
    rest = await live.ask("list", limit=2, after=page.next)
    assert ([job.id for job in rest.jobs], rest.next) == ([ids[0]], None)
    assert [job.id for job in (await live.ask("list", state="done")).jobs] == [ids[0]]


async def test_a_job_is_cancelled_and_begun_anew(live: Live) -> None:
    id = await live.order()
    assert (await live.ask("cancel", id)).state == "cancelled"
    assert (await live.ask("retry", id)).state == "queued"


async def test_a_job_is_waited_for_and_each_change_is_told(live: Live) -> None:
    id, seen = await live.order(), []
    trouble = JobError(code="provider_refused", message="Not this one.")

    def work(job: Job) -> None:
        seen.append((job.state, job.progress))
        if job.state == "queued":
            live.server.queue.set(id, state=JobState.RUNNING, progress=0.5, attempts=1)
        elif job.state == "running":
            live.server.queue.end(id, JobState.FAILED, error=trouble)

    job = await live.ask("wait", id, timeout_s=20, on_event=work)
    assert seen == [("queued", 0), ("running", 0.5), ("failed", 0.5)]
    assert (job.ended, job.done, job.error.code) == (True, False, "provider_refused")
    assert job.ended_at is not None


async def test_events_end_with_the_job(live: Live) -> None:
    id = await live.order()
    assert [job.state for job in await live.ask.events(id, at_most=1)] == ["queued"]
    live.server.queue.end(id, JobState.DONE)
    assert [(job.state, job.done) for job in await live.ask.events(id)] == [("done", True)]


async def test_waiting_ends_with_the_time_given_and_how_the_job_was_seen(live: Live) -> None:
    id = await live.order()
    with pytest.raises(JobTimeout, match=r"queued after 0\.3 seconds") as caught:
        await live.ask("wait", id, timeout_s=0.3)
    assert caught.value.job is not None
    assert caught.value.job.state == "queued"


async def test_purges(live: Live) -> None:
    await live.server.keep(Need(SOURCE, (Ask(Task.BACKGROUND),)))
    gone = await live.ask("purge", source=[SOURCE], prefix="https://b.test/", tag=("shop",), preset="nothing")
    assert (gone.entries["disk"], gone.unknown) == (1, ("nothing",))
    assert (await live.ask("purge", everything=True)).unknown == ()


async def test_capabilities(live: Live) -> None:
    assert (await live.ask("capabilities"))["queue"] == "memory"


async def test_a_refusal_has_all_that_the_server_says(live: Live) -> None:
    with pytest.raises(ApiError) as caught:
        await live.ask("submit", SOURCE, "widht:300")
    wrong = caught.value
    assert (wrong.status, wrong.code, wrong.where, wrong.retry_after_s) == (400, "bad_option", "widht", None)
    assert wrong.expected == "width"
    assert wrong.request_id
    assert wrong.message in str(wrong)


async def test_a_job_that_is_not_there_is_not_followed_again_and_again(live: Live) -> None:
    with pytest.raises(ApiError) as caught:
        await live.ask("wait", "0" * 64)
    assert (caught.value.status, caught.value.code) == (404, "not_found")


async def test_a_wrong_key_is_told(live: Live, connect: Connect) -> None:
    with pytest.raises(ApiError, match="IMGSERVE_API_KEYS") as caught:
        await connect(live.url, api_key="another")("get", "0" * 64)
    assert caught.value.code == "forbidden"


async def test_a_prefix_is_part_of_the_base_url(connect: Connect) -> None:
    server = JobsServer(Setup(prefix="/images"))
    async with listening(server) as port:
        [job] = await connect(f"http://127.0.0.1:{port}/images/", api_key=API_KEY)("submit", SOURCE, CUT)
    assert job.status_url.startswith("/images/v1/jobs/")


async def test_no_server_is_one_kind_of_error(connect: Connect) -> None:
    port = free_port()
    with pytest.raises(Unreachable, match=f"http://127.0.0.1:{port}/v1/capabilities"):
        await connect(f"http://127.0.0.1:{port}")("capabilities")


@pytest.mark.parametrize("wrong", ["img.example.com", "", "ftp://img.example.com"])
def test_a_base_url_without_a_scheme_is_told_at_once(wrong: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        Client(wrong)


async def test_what_is_no_id_does_not_make_another_path(live: Live) -> None:
    with pytest.raises(ValueError, match="id: expected"):
        await live.ask("get", "../purge")


def test_a_client_that_is_given_stays_open() -> None:
    with httpx.Client() as http:
        with Client("http://img.test", http=http) as client:
            assert client.signer.url("https://a.test/a.jpg").startswith("http://img.test/unsafe/")
        assert not http.is_closed


async def test_a_client_that_is_given_stays_open_with_asyncio_too() -> None:
    async with httpx.AsyncClient() as http:
        async with AsyncClient("http://img.test", http=http):
            pass
        assert not http.is_closed
