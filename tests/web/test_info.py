"""/info over HTTP: signatures, answers, conditions, and what is said while models have not looked yet."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from imgserve.ops.info import INFO, INFO_CATALOG, info_grammar
from imgserve.plan.needs import Need
from imgserve.plan.signing import Signer, key_pairs
from imgserve.ports.jobs import JobError, JobState
from imgserve.ports.models import Ask, Detection, Provider, Reading, Task
from imgserve.service.admission import Admission
from imgserve.service.artefacts import Artefact, Artefacts
from imgserve.service.freshness import KeepingRules
from imgserve.service.info import Inspector
from imgserve.service.jobs import Jobs
from imgserve.service.modelled import Modelled
from imgserve.service.tiers import Tiers
from imgserve.service.validators import source_validator
from imgserve.web.edge import Edge, EdgePolicy, Endpoint
from imgserve.web.exchange import Exchange
from imgserve.web.http import Negotiation
from imgserve.web.info import InfoEndpoint
from imgserve.web.pending import PendingAnswers, PendingPolicy
from imgserve.web.reading import PlanReader
from tests.service.making import SlowStore
from tests.web.blocking import until
from tests.web.conftest import Server, Start
from tests.web.jobs_server import provider
from tests.web.memory_queue import MemoryQueue
from tests.web.origin import Answer, Origin, picture
from tests.web.pictures import jpeg, png

A = "local:///a.jpg"
BOX: dict[str, Any] = {"left": 0.1, "top": 0.2, "width": 0.3, "height": 0.4}
FACE = Reading(detections=(Detection(label="face", confidence=0.9, **BOX),))
HEAD = {
    "size": len(jpeg()), "format": "jpeg", "mime_type": "image/jpeg", "width": 60, "height": 40, "orientation": 1,
}  # fmt: skip


@dataclass
class InfoServer:
    """A server with /info in front, whose jobs a test does."""

    server: Server
    client: httpx.AsyncClient
    artefacts: Artefacts
    queue: MemoryQueue
    prefix: str
    exchanges: list[Exchange]

    async def get(
        self, options: str = "", source: str = A, headers: dict[str, str] | None = None, *, method: str = "GET"
    ) -> httpx.Response:
        path = f"/{options}/plain/{source}" if options else f"/plain/{source}"
        return await self.ask(f"{INFO}{self.server.signed(path)}", headers, method=method)

    async def ask(self, path: str, headers: dict[str, str] | None = None, *, method: str = "GET") -> httpx.Response:
        return await self.client.request(method, self.prefix + path, headers=headers)

    async def seen(self, task: Task, reading: Reading = FACE, *, source: str = A) -> None:
        """End a job as a worker would: with a reading of the source as it is now."""
        renderer = self.server.services.renderer
        blob = await renderer.sources[source.partition(":")[0]].fetch(source, max_bytes=0, headers={})
        need = Need(source, (Ask(task),))
        artefact = Artefact(
            reading=reading,
            origin=blob.origin,
            validator=source_validator(blob),
            source_bytes=1,
            source_format="jpeg",
            providers=("cascade",),
            basic=True,
        )
        await self.artefacts.keep(need, artefact, since=await self.artefacts.mark())
        if (key := self.artefacts.key(need)) in self.queue.jobs:
            self.queue.end(key, JobState.DONE)


class StartInfo(Protocol):
    async def __call__(self, *, pending: str = ..., prefix: str = ..., **settings: str) -> InfoServer: ...


@pytest.fixture
async def begin(start: Start) -> AsyncIterator[StartInfo]:
    async with AsyncExitStack() as stack:

        async def run(*, pending: str = "fallback", prefix: str = "", **settings: str) -> InfoServer:
            server = await start(**settings)
            made = _around(server, pending=pending, prefix=prefix)
            await stack.enter_async_context(made.client)
            return made

        yield run


def _around(server: Server, *, pending: str, prefix: str) -> InfoServer:
    """Put /info together as the app does, over a queue in memory."""
    services, queue, exchanges = server.services, MemoryQueue(), list[Exchange]()
    providers: dict[Task, Provider] = {task: provider(task) for task in Task if task is not Task.NSFW}
    artefacts = Artefacts(
        tiers=Tiers([SlowStore()]),
        purges=services.caches.purges,
        rules=KeepingRules(),
        providers=providers,
        near=("local",),
    )
    jobs = Jobs(queue=queue, artefacts=artefacts)
    delivery = dataclasses.replace(services.delivery, negotiation=Negotiation())
    endpoint = InfoEndpoint(
        reader=PlanReader(
            grammar=info_grammar(services.grammar),
            signer=services.signer,
            negotiation=Negotiation(),
            admit=services.renderer.admit,
            prefix=prefix + INFO,
        ),
        inspector=Inspector(renderer=services.renderer, modelled=Modelled(artefacts=artefacts, jobs=jobs)),
        delivery=delivery,
        pending=PendingAnswers(jobs=jobs, delivery=delivery, policy=PendingPolicy.parse(pending), prefix=prefix),
        admission=Admission(services.settings.server.max_clients),
    )
    policy = EdgePolicy(timeout_s=10.0, allow_origin="*")
    app = Starlette(
        routes=[Route(f"{prefix}{INFO}/{{path:path}}", Endpoint(endpoint, counted=True))],
        middleware=[Middleware(Edge, policy=policy, log=exchanges.append)],
    )
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://images.test")
    return InfoServer(server, client, artefacts, queue, prefix, exchanges)


async def test_a_source_is_told_as_json(begin: StartInfo) -> None:
    info = await begin()
    answer = await info.get("exif:0/iptc:0/xmp:0")
    assert (answer.status_code, answer.json()) == (200, HEAD)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "max-age=31536000, public"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "vary" not in answer.headers
    assert "exif" in (await info.get()).json()
    head = await info.get("exif:0/iptc:0/xmp:0", method="HEAD")
    assert (head.content, head.headers["content-length"]) == (b"", str(len(answer.content)))
    assert (await info.get(method="POST")).status_code == 405


async def test_what_a_client_accepts_changes_nothing(begin: StartInfo) -> None:
    info = await begin(AUTO_WEBP="1", ENABLE_CLIENT_HINTS="1")
    plain, webp = await info.get(), await info.get(headers={"accept": "image/webp,*/*", "dpr": "2"})
    assert (webp.content, webp.headers["etag"]) == (plain.content, plain.headers["etag"])
    assert "vary" not in webp.headers


@pytest.mark.parametrize("prefix", ["", "/images"])
async def test_the_prefix_of_routes_is_kept(begin: StartInfo, prefix: str) -> None:
    info = await begin(prefix=prefix)
    assert (await info.get()).status_code == 200
    pending = await info.get("do:1")
    assert pending.headers["location"].startswith(f"{prefix}/v1/jobs/")


KEYS = (
    "943b421c9eb07c830af81030552c86009268de4e532ba2ee2eab8247c6da0881",
    "520f986b998545b4785e0defbc4f3c1203f22de2374a3d53cb7a7fe9fea309c5",
)
#: Of imgproxy's own clients, for https://example.com/image.jpg; the same with and without /info.
KNOWN = "xOner18d7-LJwkl4bifXGbC1_4kZXxsPLnuuvsMtcWo/aHR0cHM6Ly9leGFtcGxlLmNvbS9pbWFnZS5qcGc"


async def test_signatures_are_those_of_imgproxy(begin: StartInfo) -> None:
    # Nothing leaves this machine: a signature that fits is told by the source being refused after it.
    info = await begin(KEY=KEYS[0], SALT=KEYS[1], ALLOWED_SOURCES="local://")
    answer = await info.ask(f"/info/{KNOWN}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "source_forbidden")
    for wrong in (f"/info/y{KNOWN[1:]}", f"/info/{KNOWN}/", f"/info/{KNOWN.replace('/', '/s:1/')}"):
        answer = await info.ask(wrong)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "bad_signature")


async def test_the_route_is_not_part_of_what_is_signed(begin: StartInfo) -> None:
    info = await begin()
    path = f"/exif:0/iptc:0/xmp:0/plain/{A}"
    signer = Signer(pairs=key_pairs(["736563726574"], ["68656C6C6F"]))
    assert (await info.ask(f"/info/{signer.sign(path)}{path}")).status_code == 200
    assert (await info.ask(f"/info/{signer.sign('/info' + path)}{path}")).status_code == 403


@pytest.mark.parametrize(
    ("path", "status", "code", "said"),
    [
        ("/face:1/plain/local:///a.jpg", 400, "bad_option", "Did you mean 'faces'?"),
        ("/w:100/plain/local:///a.jpg", 400, "bad_option", "no option called 'w'"),
        ("/rs:fit:1:1/plain/local:///a.jpg", 400, "bad_option", "no option called 'rs'"),
        ("/do:2/plain/local:///a.jpg", 400, "bad_option", "a flag"),
        ("/pr:small/plain/local:///a.jpg", 400, "bad_option", "no preset called 'small'"),
        ("/plain/local:///a.jpg@webp", 400, "bad_request", "has no extension"),
        ("/bG9jYWw6Ly8vYS5qcGc.png", 400, "bad_request", "has no extension"),
        ("/faces:1", 400, "bad_request", "source is missing"),
        ("/exp:1/plain/local:///a.jpg", 410, "expired", "expired"),
        ("/msr:1/plain/local:///a.jpg", 403, "option_forbidden", "not permitted"),
        ("/plain/ftp://a/b", 400, "bad_request", "not enabled"),
        ("/plain/local:///none.jpg", 404, "source_not_found", ""),
        ("/plain/local:///page.html", 415, "unsupported_image", "not an image"),
        ("/hs:md5:00000000000000000000000000000000/plain/local:///a.jpg", 422, "image_refused", "hash sum"),
    ],
)
async def test_mistakes_are_told_as_json(
    begin: StartInfo, root: Path, path: str, status: int, code: str, said: str
) -> None:
    (root / "page.html").write_text("<html>")
    info = await begin()
    answer = await info.ask(f"{INFO}{info.server.signed(path)}", {"accept": "text/html"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert said in error["message"]


async def test_a_base64_source_is_told(begin: StartInfo) -> None:
    info = await begin()
    answer = await info.ask(f"{INFO}{info.server.signed('/exif:0/iptc:0/xmp:0/bG9jYWw6Ly8v/YS5qcGc')}")
    assert answer.json() == HEAD


async def test_a_client_that_has_it_gets_304(begin: StartInfo, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture(etag='"v1"', last_modified="Sat, 21 Nov 2026 08:33:13 GMT")
    info, source = await begin(), f"{origin.base}/a.jpg"
    first = await info.get("exif:0/iptc:0/xmp:0", source)
    for headers in (
        {"if-none-match": first.headers["etag"]},
        {"if-modified-since": first.headers["last-modified"]},
    ):
        again = await info.get("exif:0/iptc:0/xmp:0", source, headers)
        assert (again.status_code, again.content) == (304, b"")
        for name in ("cache-control", "etag"):
            assert again.headers[name] == first.headers[name]
    assert origin.asked[1].headers["if-none-match"] == '"v1"'
    other = await info.get("exif:1", source, {"if-none-match": first.headers["etag"]})
    assert other.status_code == 200
    origin.at["/a.jpg"] = picture(etag='"v2"')
    assert (await info.get("exif:0/iptc:0/xmp:0", source, {"if-none-match": first.headers["etag"]})).status_code == 200


async def test_tags_of_pictures_are_none_of_facts(begin: StartInfo) -> None:
    info = await begin()
    tag = (await info.server.get(f"/plain/{A}")).headers["etag"]
    assert (await info.get("", A, {"if-none-match": tag})).status_code == 200


async def test_purges_of_a_cdn_find_it(begin: StartInfo) -> None:
    answer = await (await begin()).get("ct:sale")
    assert answer.headers["cache-tag"].endswith(",sale")
    assert answer.headers["cache-tag"].startswith("src-")


async def test_what_is_ready_is_told_while_models_look(begin: StartInfo) -> None:
    info = await begin()
    answer = await info.get("faces:1/text:1/exif:0/iptc:0/xmp:0")
    facts = answer.json()
    pending = facts.pop("pending")
    assert (answer.status_code, facts) == (202, HEAD)
    assert list(pending["jobs"]) == ["faces", "text"]
    assert pending["job"] == pending["jobs"]["faces"] == answer.headers["x-imgserve-pending"]
    assert set(pending["jobs"].values()) == set(info.queue.jobs)
    assert answer.headers["location"] == f"/v1/jobs/{pending['job']}"
    assert (answer.headers["retry-after"], answer.headers["cache-control"]) == ("2", "no-store")
    assert not {"etag", "last-modified"} & set(answer.headers)

    await info.seen(Task.FACES)
    some = await info.get("faces:1/text:1/exif:0/iptc:0/xmp:0")
    assert (some.status_code, some.json()["faces"]) == (202, [{"confidence": 0.9, **BOX}])
    assert list(some.json()["pending"]["jobs"]) == ["text"]

    await info.seen(Task.TEXT, Reading(detections=(Detection(label="text", confidence=0.8, text="SALE", **BOX),)))
    whole = await info.get("faces:1/text:1/exif:0/iptc:0/xmp:0")
    assert whole.status_code == 200
    assert whole.json() == {
        **HEAD,
        "faces": [{"confidence": 0.9, **BOX}],
        "text": [{"text": "SALE", "confidence": 0.8, **BOX}],
    }
    assert whole.headers["x-imgserve-provider"] == "cascade; basic"
    known = await info.get("faces:1/text:1/exif:0/iptc:0/xmp:0", headers={"if-none-match": whole.headers["etag"]})
    assert known.status_code == 304


async def test_a_date_does_not_hide_what_models_have_read_since(begin: StartInfo, origin: Origin) -> None:
    date = "Sat, 21 Nov 2026 08:33:13 GMT"
    origin.at["/a.jpg"] = picture(last_modified=date)
    info, source = await begin(), f"{origin.base}/a.jpg"
    assert (await info.get("faces:1", source, {"if-modified-since": date})).status_code == 202


async def test_a_changed_source_is_looked_at_again(begin: StartInfo, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture(etag='"v1"')
    info, source = await begin(), f"{origin.base}/a.jpg"
    await info.get("faces:1", source)
    await info.seen(Task.FACES, source=source)
    assert (await info.get("faces:1", source)).status_code == 200
    origin.at["/a.jpg"] = Answer(headers={"etag": '"v2"'}, body=jpeg())
    assert (await info.get("faces:1", source)).status_code == 202
    assert [job.state for job in info.queue.jobs.values()] == [JobState.QUEUED]


async def test_a_job_that_failed_keeps_no_field_from_being_told(begin: StartInfo) -> None:
    info = await begin()
    await info.get("do:1")
    [id] = info.queue.jobs
    info.queue.end(id, JobState.FAILED, error=JobError(code="provider_refused", message="Too dark."))
    answer = await info.get("do:1/exif:0/iptc:0/xmp:0")
    failed = {"detect_objects": {"code": "provider_refused", "message": "Too dark."}}
    assert (answer.status_code, answer.json()) == (200, {**HEAD, "failed": failed})
    assert answer.headers["cache-control"] == "max-age=10, public"
    assert answer.headers["x-imgserve-degraded"] == "provider_refused"
    assert not {"etag", "last-modified", "retry-after"} & set(answer.headers)
    assert info.exchanges[-1].detail == "Too dark."
    both = (await info.get("do:1/faces:1/exif:0/iptc:0/xmp:0")).json()
    assert (list(both["failed"]), list(both["pending"]["jobs"])) == (["detect_objects"], ["faces"])


async def test_what_nobody_does_is_told_as_failed(begin: StartInfo) -> None:
    info = await begin()
    answer = await info.get("nsfw:1/exif:0/iptc:0/xmp:0")
    failed = answer.json().pop("failed")
    assert (answer.status_code, failed["nsfw"]["code"]) == (200, "no_provider")
    assert "nothing that does nsfw" in failed["nsfw"]["message"]
    info.queue.broken = True
    assert (await info.get("do:1")).json()["failed"]["detect_objects"]["code"] == "queue_unavailable"


async def test_waiting_gives_the_whole_answer(begin: StartInfo) -> None:
    info = await begin(pending="wait:5000")
    asked = asyncio.create_task(info.get("faces:1/do:1/exif:0/iptc:0/xmp:0"))
    await until(lambda: len(info.queue.jobs) == 2)
    await info.seen(Task.FACES)
    await info.seen(Task.OBJECTS)
    answer = await asked
    assert (answer.status_code, set(answer.json()) - set(HEAD)) == (200, {"faces", "objects"})


async def test_waiting_ends_with_its_time(begin: StartInfo) -> None:
    info = await begin(pending="wait:50")
    answer = await info.get("faces:1/do:1")
    assert (answer.status_code, list(answer.json()["pending"]["jobs"])) == (202, ["detect_objects", "faces"])


async def test_the_policy_may_be_to_answer_nothing_but_all(begin: StartInfo) -> None:
    info = await begin(pending="error")
    answer = await info.get("faces:1")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "pending")
    assert answer.headers["x-imgserve-pending"] in info.queue.jobs
    assert answer.headers["retry-after"] == "2"
    [id] = info.queue.jobs
    info.queue.end(id, JobState.FAILED, error=JobError(code="provider_refused", message="Too dark."))
    answer = await info.get("do:1/faces:1")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["where"]) == (422, "model_failed", "provider_refused")
    answer = await info.get("nsfw:1")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_provider")
    await info.seen(Task.OBJECTS)
    assert (await info.get("do:1")).status_code == 200


async def test_too_many_at_a_time_are_told_to_come_back(begin: StartInfo, origin: Origin) -> None:
    gate = asyncio.Event()
    origin.at["/a.jpg"] = dataclasses.replace(picture(), gate=gate)
    info, source = await begin(MAX_CLIENTS="1"), f"{origin.base}/a.jpg"
    first = asyncio.create_task(info.get("", source))
    await origin.arrived.wait()
    refused = await info.get("", A)
    gate.set()
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "queue_full")
    assert (await first).status_code == 200


async def test_a_placeholder_is_told_as_next_image_takes_it(begin: StartInfo) -> None:
    info = await begin()
    answer = await info.get("s:0/f:0/d:0/exif:0/iptc:0/xmp:0/lqip:16")
    facts = answer.json()["lqip"]
    assert (answer.status_code, list(answer.json())) == (200, ["lqip"])
    assert (facts["width"], facts["height"], facts["widths"]) == (60, 40, [32, 48, 60])
    assert facts["blurDataURL"].startswith("data:image/webp;base64,")
    again = await info.get("s:0/f:0/d:0/exif:0/iptc:0/xmp:0/lqip:16", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = await info.get("s:0/f:0/d:0/exif:0/iptc:0/xmp:0/lqip:17", headers={"if-none-match": answer.headers["etag"]})
    assert other.status_code == 200


async def test_what_is_measured_follows_the_source(begin: StartInfo, origin: Origin) -> None:
    origin.at["/a.jpg"] = Answer(headers={"etag": '"v1"', "cache-control": "no-cache"}, body=jpeg())
    info, source = await begin(CACHE="memory"), f"{origin.base}/a.jpg"
    first = await info.get("lqip:16", source)
    assert (await info.get("lqip:16", source)).content == first.content
    origin.at["/a.jpg"] = Answer(headers={"etag": '"v2"', "cache-control": "no-cache"}, body=png())
    changed = await info.get("lqip:16", source)
    assert (first.json()["lqip"]["widths"][-1], changed.json()["lqip"]["widths"][-1]) == (60, 30)


@pytest.mark.parametrize(
    ("options", "where", "got", "expected"),
    [
        ("lqip:0", "lqip", "0", "an integer from 1 to 64"),
        ("p:1", "p", "1", "an integer from 2 to 256, or 0 for none"),
        ("c:1:1:obj:face", "c, argument gravity", "obj", "sm"),
    ],
)
async def test_a_wrong_option_says_where_it_is_and_what_it_takes(
    begin: StartInfo, options: str, where: str, got: str, expected: str
) -> None:
    info = await begin()
    error = (await info.get(options)).json()["error"]
    assert (error["code"], error["where"]) == ("bad_option", where)
    assert got in error["got"]
    assert expected in error["expected"]


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("cut.webp", b"RIFF\x24\x00\x00\x00WEBPVP8 \x18\x00\x00\x00", 422),
        ("bare.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><", 422),
        ("page.html", b"<html>", 415),
        ("empty.jpg", b"", 415),
    ],
)
async def test_broken_sources_are_refused_whatever_is_asked(
    begin: StartInfo, root: Path, name: str, data: bytes, status: int
) -> None:
    (root / name).write_bytes(data)
    info = await begin()
    for options in ("", "lqip:16/p:6/dc:1/bh:4:3/th:1/ph:1/a:1:1", "chs:md5", "c:10:10:sm"):
        assert (await info.get(options, f"local:///{name}")).status_code == status


async def test_nothing_that_a_client_sends_is_a_bug(begin: StartInfo) -> None:
    info = await begin()
    for name in sorted(INFO_CATALOG.by_name):
        for arguments in ("", "1", "t:t", "x", "0:0:0", "%00", "é", "9" * 30, "md5", ":::"):
            answer = await info.ask(f"{INFO}{info.server.signed(f'/{name}:{arguments}/plain/{A}')}")
            assert answer.status_code in (200, 202, 400, 403, 410), answer.text
            assert isinstance(answer.json(), dict)
