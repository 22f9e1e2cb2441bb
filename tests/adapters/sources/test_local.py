"""local:/// stays inside its root, names versions of files, and never says where the root is."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgserve.adapters.sources.local import LocalLimits, LocalSource
from imgserve.errors import BadRequest, ImgserveError, SourceForbidden, SourceNotFound, SourceUnreachable
from imgserve.ports import Blob

NINES = "9" * 5000  # more digits than int() reads


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("outside")
    (tmp_path / "root-2").mkdir()
    (tmp_path / "root-2" / "secret.txt").write_text("outside with the same prefix")
    root = tmp_path / "root"
    (root / "dir").mkdir(parents=True)
    (root / "a.jpg").write_bytes(b"picture")
    (root / "dir" / "b.png").write_bytes(b"deeper")
    return root


async def fetch(root: Path, url: str, **headers: str) -> Blob:
    source = LocalSource(root, limits=LocalLimits(max_threads=1))
    try:
        return await source.fetch(url, max_bytes=0, headers={k.replace("_", "-"): v for k, v in headers.items()})
    finally:
        await source.close()


@pytest.mark.parametrize(
    ("url", "data"),
    [
        ("local:///a.jpg", b"picture"),
        ("LOCAL:///a.jpg", b"picture"),
        ("local:////a.jpg", b"picture"),
        ("local:///dir/b.png", b"deeper"),
        ("local:///dir/../a.jpg", b"picture"),
        ("local:///a.jpg?v=2", b"picture"),
    ],
)
async def test_paths_are_read_below_the_root(root: Path, url: str, data: bytes) -> None:
    assert (await fetch(root, url)).data == data


@pytest.mark.parametrize(
    "url",
    [
        "local:///../secret.txt",
        "local:///../root-2/secret.txt",
        "local:///dir/../../secret.txt",
        "local:///../no-such-file",
        "local:///../../../../../../etc/passwd",
    ],
)
async def test_a_way_out_is_forbidden_whether_there_is_a_file_or_not(root: Path, url: str) -> None:
    with pytest.raises(SourceForbidden):
        await fetch(root, url)


@pytest.mark.parametrize(
    "url",
    [
        "local:///%2e%2e/secret.txt",
        "local:///..%2fsecret.txt",
        "local:///a%2Ejpg",
        "local:///..\\secret.txt",
        "local:///nothing.jpg",
        "local:///dir",
        "local:///",
        "local:///a.jpg/b",
        "local:///" + "long" * 100,
    ],
)
async def test_what_is_not_a_file_of_that_very_name_is_not_found(root: Path, url: str) -> None:
    with pytest.raises(SourceNotFound):
        await fetch(root, url)


async def test_a_percent_sign_is_part_of_the_name(root: Path) -> None:
    (root / "100%41.jpg").write_bytes(b"literal")
    assert (await fetch(root, "local:///100%41.jpg")).data == b"literal"


@pytest.mark.parametrize(
    "url", ["local://a.jpg", "local:a.jpg", "http:///a.jpg", "local:///a\0.jpg", "local:///\ud800"]
)
async def test_a_malformed_url_is_a_bad_request(root: Path, url: str) -> None:
    with pytest.raises(BadRequest):
        await fetch(root, url)


async def test_a_link_that_stays_inside_is_followed(root: Path) -> None:
    (root / "link.jpg").symlink_to("dir/b.png")
    assert (await fetch(root, "local:///link.jpg")).data == b"deeper"


@pytest.mark.parametrize("target", ["../secret.txt", "..", "/etc"])
async def test_a_link_that_leads_out_is_forbidden(root: Path, target: str) -> None:
    (root / "link").symlink_to(target)
    below = "" if target.endswith(".txt") else "/secret.txt"
    with pytest.raises(SourceForbidden):
        await fetch(root, f"local:///link{below}")


async def test_a_loop_of_links_is_not_found(root: Path) -> None:
    (root / "loop").symlink_to("loop")
    with pytest.raises(SourceNotFound):
        await fetch(root, "local:///loop")


async def test_a_root_that_is_a_link_itself_serves_its_target(root: Path) -> None:
    (root.parent / "link").symlink_to(root)
    assert (await fetch(root.parent / "link", "local:///a.jpg")).data == b"picture"


async def test_a_pipe_is_not_found_and_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(SourceNotFound):
        await fetch(root, "local:///pipe")


@pytest.mark.parametrize("url", ["local:///nothing.jpg", "local:///../secret.txt", "local:///dir", "local://a.jpg"])
async def test_no_error_tells_where_the_root_is(root: Path, url: str) -> None:
    with pytest.raises(ImgserveError) as caught:
        await fetch(root, url)
    assert "root" not in caught.value.message
    assert str(root) not in str(caught.value.facts())


def test_a_root_that_does_not_exist_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LocalSource(tmp_path / "nothing")


async def test_the_query_separator_can_be_another_or_none(root: Path) -> None:
    (root / "what?.jpg").write_bytes(b"asked")
    for separator, url in (("", "local:///what?.jpg"), ("@@", "local:///what?.jpg@@v1")):
        source = LocalSource(root, query_separator=separator)
        assert (await source.fetch(url, max_bytes=0, headers={})).data == b"asked"
        await source.close()


async def test_the_etag_changes_with_size_time_and_place(root: Path) -> None:
    def write(name: str, data: bytes, mtime_ns: int) -> str:
        (root / name).write_bytes(data)
        os.utime(root / name, ns=(mtime_ns, mtime_ns))
        return f"local:///{name}"

    tags = [
        (await fetch(root, write(name, data, mtime_ns))).origin.etag
        for name, data, mtime_ns in [
            ("x.jpg", b"12", 10**18),
            ("x.jpg", b"123", 10**18),
            ("x.jpg", b"12", 10**18 + 1000),
            ("y.jpg", b"12", 10**18),
            ("x.jpg", b"12", 10**18),
        ]
    ]
    assert len(set(tags)) == 4
    assert tags[0] == tags[4]


@pytest.mark.parametrize("tags", ["{}", "W/{}", '"other", {}', "*"])
async def test_any_form_of_the_known_etag_is_answered_by_304(root: Path, tags: str) -> None:
    etag = (await fetch(root, "local:///a.jpg")).origin.etag
    assert etag is not None
    blob = await fetch(root, "local:///a.jpg", If_None_Match=tags.format(etag))
    assert (blob.origin.status, blob.data, blob.origin.etag) == (304, b"", etag)


@given(
    st.sampled_from(["range", "if-modified-since", "if-none-match"]),
    st.text()
    | st.builds("bytes={}-{}".format, st.text("0123456789²٣", max_size=25), st.text("0123456789", max_size=25))
    | st.builds(
        "1 Jan {} 1:1:{} {}".format, st.integers(), st.integers(0, 99), st.sampled_from(["+", "-"]) | st.text()
    ),
)
def test_any_condition_or_range_gives_an_answer(
    tmp_path_factory: pytest.TempPathFactory, name: str, value: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    (folder / "a.jpg").write_bytes(b"picture")
    assert asyncio.run(fetch(folder, "local:///a.jpg", **{name: value})).origin.status in (200, 206, 304, 416)


async def test_an_etag_decides_before_a_date(root: Path) -> None:
    late = "Fri, 01 Jan 2100 00:00:00 GMT"
    assert (await fetch(root, "local:///a.jpg", If_Modified_Since=late)).origin.status == 304
    both = await fetch(root, "local:///a.jpg", If_Modified_Since=late, If_None_Match='"other"')
    assert both.origin.status == 200


@pytest.mark.parametrize(
    "date", ["yesterday", "", "Wed, 21 Oct 2026 99:28:00 GMT", "1 Jan 1 1:1:1 +999999999999999", "9" * 5000]
)
async def test_a_date_that_cannot_be_read_is_no_condition(root: Path, date: str) -> None:
    assert (await fetch(root, "local:///a.jpg", If_Modified_Since=date)).origin.status == 200


@pytest.mark.parametrize(
    ("wanted", "status", "data", "where"),
    [
        ("bytes=0-2", 206, b"pic", "bytes 0-2/7"),
        ("bytes=4-", 206, b"ure", "bytes 4-6/7"),
        ("bytes=-2", 206, b"re", "bytes 5-6/7"),
        ("bytes=-100", 206, b"picture", "bytes 0-6/7"),
        ("bytes=5-100", 206, b"re", "bytes 5-6/7"),
        ("bytes=7-", 416, b"", "bytes */7"),
        ("bytes=-0", 416, b"", "bytes */7"),
        ("bytes=3-2", 200, b"picture", None),
        ("bytes=0-1,3-4", 200, b"picture", None),
        ("bytes=-", 200, b"picture", None),
        ("lines=1-2", 200, b"picture", None),
        (f"bytes=0-{NINES}", 200, b"picture", None),
        (f"bytes={NINES}-", 200, b"picture", None),
        (f"bytes=-{NINES}", 200, b"picture", None),
        (f"bytes={'9' * 19}-", 416, b"", "bytes */7"),
        ("bytes=٣-٤", 200, b"picture", None),
    ],
)
async def test_ranges(root: Path, wanted: str, status: int, data: bytes, where: str | None) -> None:
    blob = await fetch(root, "local:///a.jpg", Range=wanted)
    assert (blob.origin.status, blob.data, blob.origin.headers.get("content-range")) == (status, data, where)


async def test_a_file_that_shrinks_while_it_is_streamed_is_unreachable(root: Path) -> None:
    (root / "big.jpg").write_bytes(bytes(5_000_000))
    source = LocalSource(root)
    async with source.open("local:///big.jpg", max_bytes=0, headers={}) as stream:
        chunks = stream.chunks()
        await anext(chunks)
        os.truncate(root / "big.jpg", 1_500_000)
        with pytest.raises(SourceUnreachable, match="shorter"):
            async for _ in chunks:
                pass
    await source.close()


async def test_the_type_is_that_of_the_name_and_none_for_an_unknown_one(root: Path) -> None:
    (root / "data").write_bytes(b"?")
    (root / "P.JPEG").write_bytes(b"?")
    assert (await fetch(root, "local:///data")).origin.content_type is None
    assert (await fetch(root, "local:///P.JPEG")).origin.content_type == "image/jpeg"
