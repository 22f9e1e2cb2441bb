"""The S3 tier against moto's server, and against a scripted web server for what a healthy storage never says.

What any store promises is asked in test_contract.py.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import threading
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from imgserve.adapters.s3_client import S3Account
from imgserve.adapters.stores import s3
from imgserve.adapters.stores.s3 import S3Store
from imgserve.adapters.stores.s3_breaker import MAX_FAILURES
from imgserve.adapters.stores.s3_bucket import S3Bucket
from imgserve.ports import EVERYTHING, Selector, Stored, StoreError
from tests.adapters.sources.conftest import Asked, Web, listening, reply
from tests.running import free_port

#: An hour after every put of these tests: index objects are no longer needed by a running one.
LATER_S = 3600


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


KEY, OTHER = key_of(1), key_of(2)


def labelled(*labels: str, body: bytes = b"image") -> Stored:
    return Stored(meta=b"{}", body=body, labels=labels)


class Tier:
    """A store with a prefix of its own, small pages, and the bucket as others see it."""

    def __init__(self, account: S3Account, bucket: Any, *, page_size: int = 3, max_bytes: int = 2 << 20) -> None:
        self.bucket = bucket
        self.prefix = f"tier-{secrets.token_hex(8)}"
        self.now = time.time()
        self.store = S3Store(
            account,
            bucket=bucket.name,
            prefix=self.prefix,
            timeout_s=5,  # so many as a busy test machine needs
            max_bytes=max_bytes,
            page_size=page_size,
            now=lambda: self.now,
        )

    def names(self, folder: str = "") -> list[str]:
        found = self.bucket.objects.filter(Prefix=f"{self.prefix}/{folder}")
        return [one.key.removeprefix(f"{self.prefix}/") for one in found]

    def result(self, key: str) -> Any:
        return self.bucket.Object(f"{self.prefix}/results/{key[:2]}/{key}")

    def bytes_of(self, key: str) -> bytes:
        data: bytes = self.result(key).get()["Body"].read()
        return data


@pytest.fixture
async def tier(s3_account: S3Account, results_bucket: Any, aws: None) -> AsyncIterator[Tier]:
    made = Tier(s3_account, results_bucket)
    yield made
    await made.store.close()


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async for server in listening(Web(), None):
        yield server


def store_at(endpoint: str, *, bucket: str = "results", timeout_s: float = 2.0) -> S3Store:
    account = S3Account(region="us-east-1", endpoint=endpoint)
    return S3Store(account, bucket=bucket, prefix="cache", timeout_s=timeout_s)


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\xff" * (1 << 19)])
async def test_bytes_come_back_as_they_were_put(tier: Tier, body: bytes) -> None:
    stored = Stored(meta=b"\x00meta\xff", body=body, labels=("a", "é\x00"), expires_at=tier.now + 0.5)
    assert await tier.store.put(KEY, stored)
    assert await tier.store.get(KEY) == stored


async def test_what_is_too_large_is_not_put(tier: Tier) -> None:
    assert not await tier.store.put(KEY, labelled("a", body=bytes((2 << 20) + 1)))
    assert not await tier.store.put(KEY, labelled("a" * (1 << 20)))
    assert tier.names() == []


async def test_a_result_is_asked_for_by_one_request_that_no_label_slows(tier: Tier) -> None:
    await tier.store.put(KEY, labelled(*(f"tag:{number}" for number in range(5))))
    assert len(tier.names("index/")) == 5
    assert tier.names("results/") == [f"results/{KEY[:2]}/{KEY}"]


@pytest.mark.parametrize("cut", [0, 10, 60, -1])
async def test_a_truncated_object_is_a_miss(tier: Tier, cut: int) -> None:
    await tier.store.put(KEY, labelled("a"))
    tier.result(KEY).put(Body=tier.bytes_of(KEY)[:cut])
    assert await tier.store.get(KEY) is None


async def test_a_swapped_object_is_a_miss(tier: Tier) -> None:
    await tier.store.put(OTHER, labelled("a"))
    tier.result(KEY).put(Body=tier.bytes_of(OTHER))
    assert await tier.store.get(KEY) is None


async def test_a_foreign_object_is_a_miss_however_large(tier: Tier) -> None:
    tier.result(KEY).put(Body=b"<html>")
    assert await tier.store.get(KEY) is None
    tier.result(KEY).put(Body=bytes(4 << 20))
    assert await tier.store.get(KEY) is None


async def test_what_has_expired_is_a_miss_and_deleted(tier: Tier) -> None:
    await tier.store.put(KEY, Stored(meta=b"", body=b"1", expires_at=tier.now + 10))
    tier.now += 9
    assert await tier.store.get(KEY) is not None
    tier.now += 1
    assert await tier.store.get(KEY) is None
    assert tier.names() == []


ODD_LABELS = [
    "source:https://a/b",
    "source:https://a/b?x=1&y=%2F#f",
    "source:https://bücher.example/ü",
    "tag:../..",
    "tag:.",
    "tag:~",
    "tag: + *'\"\\<>\x00\n\x7f",
    "tag:\U0001f600",
    "\udc80",
    "",
    "source:" + "é/" * 2500,
]


@pytest.mark.parametrize("label", ODD_LABELS)
async def test_a_purge_finds_its_label_and_no_other(tier: Tier, label: str) -> None:
    await tier.store.put(KEY, labelled(label))
    await tier.store.put(OTHER, labelled(label + "x"))
    assert await tier.store.purge(Selector(label)) == 1
    assert await tier.store.get(KEY) is None
    assert await tier.store.get(OTHER) is not None


@pytest.mark.parametrize(
    ("begin", "inside", "outside"),
    [
        ("source:https://a/b", "source:https://a/b/c", "source:https://a/c"),
        ("source:https://a/b/", "source:https://a/b/c", "source:https://a/b%2Fc"),
        ("source:https://a/b%2F", "source:https://a/b%2Fc", "source:https://a/b/c"),
        ("source:https://a/b", "source:https://a/b", "source:https://A/b"),
        ("tag:é", "tag:éa", "tag:e\u0301a"),
        ("x" * 4000, "x" * 5000, "x" * 3999 + "y" * 1001),
        ("x" * 4000 + "é", "x" * 4000 + "éy", "x" * 4000 + "è"),
        ("x" * 200, "x" * 200, "x" * 199),
        ("x" * 201, "x" * 201, "x" * 200),
    ],
)
async def test_a_purge_by_prefix_finds_what_begins_so_and_no_other(
    tier: Tier, begin: str, inside: str, outside: str
) -> None:
    await tier.store.put(KEY, labelled("other", inside))
    await tier.store.put(OTHER, labelled(outside))
    assert await tier.store.purge(Selector(begin, prefix=True)) == 1
    assert await tier.store.get(KEY) is None
    assert await tier.store.get(OTHER) is not None


async def test_a_purge_goes_through_all_pages_and_counts_every_entry_once(tier: Tier) -> None:
    for number in range(7):
        await tier.store.put(key_of(number), labelled("tag:a", "tag:b", f"tag:{number}"))
    await tier.store.put(key_of(7), labelled("else"))
    assert await tier.store.purge(Selector("tag:", prefix=True)) == 7
    assert await tier.store.purge(Selector("tag:", prefix=True)) == 0
    assert await tier.store.get(key_of(7)) is not None


async def test_everything_is_what_is_in_the_stores_folders(tier: Tier) -> None:
    outside = [
        "readme.txt",
        f"{tier.prefix}-2/results/aa/x",
        f"{tier.prefix}/notes.txt",
        f"x/{tier.prefix}/results/aa/x",
    ]
    for name in outside:
        tier.bucket.put_object(Key=name, Body=b"keep")
    for number in range(5):
        await tier.store.put(key_of(number), labelled("tag:a") if number else labelled())
    tier.now += LATER_S
    assert await tier.store.purge(EVERYTHING) == 5
    assert await tier.store.purge(EVERYTHING) == 0
    assert tier.names() == ["notes.txt"]
    assert {one.key for one in tier.bucket.objects.all()} >= set(outside)


async def test_a_label_that_an_entry_has_lost_does_not_purge_it(tier: Tier) -> None:
    await tier.store.put(KEY, labelled("tag:old"))
    await tier.store.put(KEY, labelled("tag:new"))
    assert await tier.store.purge(Selector("tag:old")) == 0
    assert await tier.store.get(KEY) is not None
    assert await tier.store.purge(Selector("tag:new")) == 1


async def test_what_was_deleted_is_not_counted_by_a_purge(tier: Tier) -> None:
    await tier.store.put(KEY, labelled("tag:a"))
    await tier.store.delete(KEY)
    await tier.store.delete(KEY)
    assert await tier.store.get(KEY) is None
    assert await tier.store.purge(Selector("tag:a")) == 0


async def test_a_purge_removes_broken_results_without_counting_them(tier: Tier) -> None:
    await tier.store.put(KEY, labelled("tag:a"))
    tier.result(KEY).put(Body=b"<html>")
    assert await tier.store.purge(Selector("tag:a")) == 0
    assert tier.names("results/") == []


async def test_a_head_of_many_labels_is_read_whole(tier: Tier) -> None:
    labels = [f"source:{number}:{'x' * 5000}" for number in range(5)]
    await tier.store.put(KEY, labelled(*labels))
    assert await tier.store.purge(Selector(labels[4])) == 1


async def test_a_purge_leaves_no_index_objects_of_its_label(tier: Tier) -> None:
    for number in range(7):
        await tier.store.put(key_of(number), labelled("tag:a"))
    tier.now += LATER_S
    assert await tier.store.purge(Selector("tag:a")) == 7
    assert tier.names() == []


async def test_a_result_that_arrives_after_the_purge_of_its_label_can_still_be_purged(tier: Tier) -> None:
    await tier.store.put(KEY, labelled("tag:a"))
    late = tier.bytes_of(KEY)
    tier.result(KEY).delete()  # so it stands between the two halves of a put
    assert await tier.store.purge(Selector("tag:a")) == 0
    assert await tier.store.purge(EVERYTHING) == 0
    tier.result(KEY).put(Body=late)
    assert await tier.store.purge(Selector("tag:a")) == 1


async def test_the_index_is_written_first_and_a_result_without_it_never(web: Web, aws: None) -> None:
    store = store_at(web.url(""))
    with pytest.raises(StoreError, match="404"):
        await store.put(KEY, labelled("a", "b"))
    assert [asked.target.rpartition("/")[0] for asked in web.asked] == ["/results/cache/index/_a"]
    await store.close()


class SlowBucket(S3Bucket):
    """Objects in a dict, written when the test lets them be."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.writing = threading.Semaphore(0)
        self.let = threading.Event()
        self.failures_of_writes: list[StoreError] = []
        self.failures_of_removes: list[StoreError] = []

    def read(self, name: str, *, max_bytes: int, deadline_s: float, only_first: bool = False) -> bytes | None:
        return self.objects.get(name)

    def write(self, name: str, data: bytes) -> None:
        self.writing.release()
        assert self.let.wait(10)
        self.objects[name] = data
        if self.failures_of_writes and "/results/" in name:
            raise self.failures_of_writes.pop()

    def remove(self, names: Sequence[str]) -> None:
        if self.failures_of_removes:
            raise self.failures_of_removes.pop()
        for name in names:
            self.objects.pop(name, None)

    def close(self) -> None:
        pass


@pytest.fixture
async def slow() -> AsyncIterator[tuple[S3Store, SlowBucket]]:
    store, bucket = store_at("http://unused"), SlowBucket()
    store._bucket = bucket
    yield store, bucket
    await store.close()


async def test_a_put_given_up_by_its_caller_asks_when_s3_is_done(
    slow: tuple[S3Store, SlowBucket], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, bucket = slow
    monkeypatch.setattr(s3, "_WORK_TIMEOUT_S", 0.1)
    purged = threading.Event()
    with pytest.raises(StoreError, match="did not answer within"):
        await store.put(KEY, labelled(), unless=purged.is_set)
    purged.set()
    bucket.let.set()
    monkeypatch.undo()
    await store.close()
    assert bucket.writing.acquire(blocking=False), "it was written"
    assert bucket.objects == {}


async def test_a_put_that_waited_for_others_asks_when_its_turn_comes(slow: tuple[S3Store, SlowBucket]) -> None:
    store, bucket = slow
    purged = threading.Event()
    first = [asyncio.create_task(store.put(key_of(number), labelled())) for number in range(s3._MAX_PUTS)]
    for _ in first:
        await asyncio.to_thread(bucket.writing.acquire)
    last = asyncio.create_task(store.put(key_of(99), labelled("tag:a"), unless=purged.is_set))
    await asyncio.sleep(0)
    purged.set()
    bucket.let.set()
    assert await asyncio.gather(*first) == [True] * len(first)
    assert not await last
    assert not bucket.writing.acquire(blocking=False)
    assert len(bucket.objects) == len(first)


@pytest.mark.parametrize("failures", [0, 1, 2])
async def test_what_was_purged_while_it_was_put_is_removed_insistently(
    slow: tuple[S3Store, SlowBucket], monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    monkeypatch.setattr(s3, "_TAKE_BACK_PAUSES_S", (0.0, 0.0, 0.0))
    store, bucket = slow
    bucket.let.set()
    bucket.failures_of_removes = [StoreError("busy")] * failures
    answers = iter([False, False, True])
    assert not await store.put(KEY, labelled(), unless=lambda: next(answers))
    assert bucket.objects == {}


async def test_what_could_not_be_removed_is_told(
    slow: tuple[S3Store, SlowBucket], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(s3, "_TAKE_BACK_PAUSES_S", (0.0, 0.0))
    store, bucket = slow
    bucket.let.set()
    bucket.failures_of_removes = [StoreError("broken")] * 2
    answers = iter([False, False, True])
    with pytest.raises(StoreError, match="broken"):
        await store.put(KEY, labelled(), unless=lambda: next(answers))
    assert "may be left in S3: broken" in caplog.text


async def test_a_put_that_failed_and_was_yet_carried_out_is_removed_if_purged(
    slow: tuple[S3Store, SlowBucket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_DOUBT_S", 0.0)
    store, bucket = slow
    bucket.let.set()
    for purged, left in ((False, 1), (True, 0)):
        bucket.failures_of_writes = [StoreError("timed out")]
        answers = iter([False, False, purged])
        with pytest.raises(StoreError, match="timed out"):
            await store.put(KEY, labelled(), unless=lambda: next(answers))  # noqa: B023 - done before the next turn
        assert len(bucket.objects) == left


async def test_closing_waits_for_a_put(s3_account: S3Account, results_bucket: Any, aws: None) -> None:
    tier = Tier(s3_account, results_bucket)
    puts = [asyncio.ensure_future(tier.store.put(key_of(number), labelled("a"))) for number in range(20)]
    await asyncio.sleep(0)
    puts[0].cancel()
    await tier.store.close()
    assert len(tier.names("results/")) == 20
    assert await asyncio.gather(*puts[1:]) == [True] * 19


async def test_a_closed_store_is_an_error(s3_account: S3Account, results_bucket: Any, aws: None) -> None:
    tier = Tier(s3_account, results_bucket)
    await tier.store.close()
    await tier.store.close()
    for asking in (tier.store.get(KEY), tier.store.put(KEY, labelled()), tier.store.purge(EVERYTHING)):
        with pytest.raises(StoreError, match="closed"):
            await asking


async def test_a_cancelled_get_leaves_the_store_usable(tier: Tier) -> None:
    await tier.store.put(KEY, labelled("a"))
    for _ in range(5):
        leaving = asyncio.ensure_future(tier.store.get(KEY))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
    assert await tier.store.get(KEY) == labelled("a")


async def test_misses_are_no_failures(tier: Tier) -> None:
    for number in range(2 * MAX_FAILURES):
        assert await tier.store.get(key_of(number)) is None
    assert await tier.store.put(KEY, labelled())


async def test_a_missing_bucket_is_an_error_for_everything(s3_endpoint: str, results_bucket: Any, aws: None) -> None:
    store = store_at(s3_endpoint, bucket="no-such-bucket")
    with pytest.raises(StoreError, match=f'S3: there is no bucket "no-such-bucket" at {s3_endpoint} '):
        await store.get(KEY)
    with pytest.raises(StoreError, match="NoSuchBucket"):
        await store.get(KEY)
    with pytest.raises(StoreError, match="NoSuchBucket"):
        await store.put(KEY, labelled())
    for selector in (EVERYTHING, Selector("a")):
        with pytest.raises(StoreError, match="NoSuchBucket"):
            await store.purge(selector)
    await store.close()


async def test_a_bucket_that_cannot_be_one_is_an_error(s3_endpoint: str, aws: None) -> None:
    store = store_at(s3_endpoint, bucket="b@d!")
    with pytest.raises(StoreError, match="bucket name"):
        await store.get(KEY)
    await store.close()


def test_messages_name_the_storage_without_what_is_secret() -> None:
    account = S3Account(endpoint="https://user:secret@storage.example:9000/s3?token=secret")
    assert account.where == "https://storage.example:9000/s3"
    assert S3Account(region="eu-west-1").where == "AWS (eu-west-1)"


async def test_no_credentials_are_an_error(web: Web, aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    store = store_at(web.url(""))
    with pytest.raises(StoreError, match=r"S3: no credentials \(AWS_ACCESS_KEY_ID"):
        await store.get(KEY)
    assert web.asked == []
    await store.close()


async def test_a_dead_port_is_an_error_soon_and_then_at_once(aws: None) -> None:
    store = store_at(f"http://127.0.0.1:{free_port()}", timeout_s=0.5)
    for _ in range(MAX_FAILURES):
        started_s = time.monotonic()
        with pytest.raises(StoreError):
            await store.get(KEY)
        assert time.monotonic() - started_s < 2
    started_s = time.monotonic()
    with pytest.raises(StoreError, match="left alone"):
        await store.get(KEY)
    with pytest.raises(StoreError, match="left alone"):
        await store.put(KEY, labelled())
    assert time.monotonic() - started_s < 0.1
    await store.close()


async def silent(_: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def half(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(reply(200, b"half", {"Content-Length": "8"}))
    await writer.drain()
    await asyncio.Event().wait()


def result_path(key: str) -> str:
    return f"/results/cache/results/{key[:2]}/{key}"


@pytest.mark.parametrize("handler", [silent, half])
async def test_a_storage_that_stalls_is_an_error_in_time(web: Web, aws: None, handler: Any) -> None:
    web.routes[result_path(KEY)] = handler
    store = store_at(web.url(""), timeout_s=0.3)
    started_s = time.monotonic()
    with pytest.raises(StoreError, match=r"within 0\.3 seconds"):
        await store.get(KEY)
    assert time.monotonic() - started_s < 2
    await store.close()


async def test_a_storage_that_refuses_is_left_alone_but_for_purges_and_deletions(web: Web, aws: None) -> None:
    web.routes[result_path(KEY)] = reply(403)
    store = store_at(web.url(""))
    for _ in range(MAX_FAILURES):
        with pytest.raises(StoreError, match="403"):
            await store.get(KEY)
    asked = len(web.asked)
    with pytest.raises(StoreError, match="left alone"):
        await store.get(KEY)
    assert len(web.asked) == asked
    web.routes["/results"] = reply(200, b"<ListBucketResult></ListBucketResult>")
    assert await store.purge(Selector("a")) == 0
    with pytest.raises(StoreError, match="left alone"):
        await store.get(KEY)
    with pytest.raises(StoreError, match="403"):
        await store.delete(KEY)
    await store.close()


async def test_a_server_that_does_not_speak_s3_is_an_error(web: Web, aws: None) -> None:
    web.routes["/results"] = reply(200, b"<html>Welcome!<br></html>")
    store = store_at(web.url(""))
    with pytest.raises(StoreError, match=r"S3 at http://127\.0\.0\.1:\d+ answered"):
        await store.purge(Selector("a"))
    await store.close()


LISTING = b"<ListBucketResult>%b</ListBucketResult>"
LISTED = b"<Contents><Key>cache/results/ab/%d</Key></Contents>"


async def test_what_the_storage_does_not_delete_is_an_error_of_the_purge(web: Web, aws: None) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.method == "GET":
            writer.write(reply(200, LISTING % (LISTED % 1 + LISTED % 2)))
        else:
            refused = b"<Error><Key>cache/results/ab/1</Key><Code>AccessDenied</Code></Error>"
            writer.write(reply(200, b"<DeleteResult>%b</DeleteResult>" % refused, {"Connection": "close"}))
            await writer.drain()
            writer.close()

    web.routes["/results"] = answer
    store = store_at(web.url(""))
    with pytest.raises(StoreError, match="did not delete 1 objects: AccessDenied"):
        await store.purge(EVERYTHING)
    await store.close()


async def test_the_endpoint_and_the_prefix_are_looked_at_before_anything_is_asked() -> None:
    with pytest.raises(ValueError, match="http"):
        store_at("storage.example.com")
    with pytest.raises(ValueError, match="prefix"):
        S3Store(S3Account(), bucket="results", prefix="/")
