"""Names in the bucket: what begins a label begins its name, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imgserve.adapters.stores.s3_names import Names
from imgserve.ports import Selector

KEY = "ab" * 32
NAMES = Names("cache")
LABELS = st.text(max_size=400)


@given(label=LABELS, other=LABELS)
@example(label="a", other="a/")
@example(label="a", other="a~")
@example(label="a" * 300, other="a" * 301)
@example(label="a%2Fb", other="a/b")
@example(label="\ud800", other="\ud801")
def test_the_folder_of_a_label_is_its_own(label: str, other: str) -> None:
    name = NAMES.index_entry(label, KEY, put_at=1)
    assert name.startswith(NAMES.begin_of(Selector(label)))
    assert name.startswith(NAMES.begin_of(Selector(other))) == (label == other)


@given(label=LABELS, begin=LABELS)
@example(label="source:https://a/b%2Fc", begin="source:https://a/b/")
@example(label="é", begin="e")
@example(label="ab", begin="a")
def test_a_prefix_that_is_not_cut_finds_what_begins_with_it_and_nothing_else(label: str, begin: str) -> None:
    begin = begin[:10]
    found = NAMES.index_entry(label, KEY, put_at=1).startswith(NAMES.begin_of(Selector(begin, prefix=True)))
    assert found == label.startswith(begin)


@given(label=st.text(max_size=500), length=st.integers(0, 500))
@example(label="é" * 500, length=499)
@example(label="a" * 200, length=200)
@example(label="a" * 201, length=201)
def test_any_prefix_finds_at_least_what_begins_with_it(label: str, length: int) -> None:
    selector = Selector(label[:length], prefix=True)
    assert NAMES.index_entry(label, KEY, put_at=1).startswith(NAMES.begin_of(selector))


@given(label=st.text(max_size=9000))
@example(label="\U0001f600" * 3000)
@example(label="..")
@example(label=".")
@example(label="")
def test_names_are_short_ascii_in_parts_that_every_storage_takes(label: str) -> None:
    name = Names("p" * 512).index_entry(label, KEY, put_at=9_999_999_999.5)
    assert len(name) <= 1024
    assert name.isascii()
    assert name.isprintable()
    parts = name.split("/")
    assert len(parts) == 4
    assert all(0 < len(part) <= 255 for part in parts[1:])
    assert not {".", ".."} & set(parts)


def test_the_name_of_an_index_object_tells_its_result_and_its_time() -> None:
    name = NAMES.index_entry("tag:a.b/c", KEY, put_at=1700.9)
    entry = NAMES.read_index(name)
    assert entry is not None
    assert (entry.name, entry.key, entry.put_at) == (name, KEY, 1700)


@pytest.mark.parametrize("name", ["cache/index/_a/readme", "cache/index/_a/", "cache/results/ab/abab.1", "else/_a/a.1"])
def test_what_the_store_has_not_written_is_no_index_object(name: str) -> None:
    assert NAMES.read_index(name) is None


@pytest.mark.parametrize("prefix", ["cache", "/cache", "cache/", "/cache/"])
def test_slashes_around_a_prefix_mean_nothing(prefix: str) -> None:
    assert Names(prefix).result(KEY) == f"cache/results/ab/{KEY}"


@pytest.mark.parametrize("prefix", ["", "/", "a//b", ".", "a/../b", "./a", "é" * 257])
def test_a_prefix_that_could_mean_something_else_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        Names(prefix)
