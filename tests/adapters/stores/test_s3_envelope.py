"""Envelopes: what is not whole, or not of this key, is nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgserve.adapters.stores.s3_envelope import MAGIC, pack, read_head, unpack
from imgserve.ports import Stored

KEY = "0" * 64
OTHER = "1" * 64
STORED = Stored(meta=b"\x00{facts}", body=b"body\x00" * 5, labels=("source:é", "tag:\x00"), expires_at=1700000000.25)


@given(
    meta=st.binary(),
    body=st.binary(),
    labels=st.lists(st.text()).map(tuple),
    expires_at=st.floats(min_value=0, allow_nan=False),
)
def test_what_is_packed_is_unpacked(meta: bytes, body: bytes, labels: tuple[str, ...], expires_at: float) -> None:
    stored = Stored(meta=meta, body=body, labels=labels, expires_at=expires_at)
    assert unpack(KEY, pack(KEY, stored)) == stored


def test_every_cut_makes_it_nothing() -> None:
    data = pack(KEY, STORED)
    assert all(unpack(KEY, data[:length]) is None for length in range(len(data)))


def test_every_changed_byte_makes_it_nothing() -> None:
    data = pack(KEY, STORED)
    changed = (data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in range(len(data)))
    assert all(unpack(KEY, one) is None for one in changed)


@pytest.mark.parametrize("data", [pack(KEY, STORED) + b"x", pack(OTHER, STORED), MAGIC, b"", b"<html>" * 100])
def test_what_is_too_long_swapped_or_foreign_is_nothing(data: bytes) -> None:
    assert unpack(KEY, data) is None


def test_the_head_is_read_without_the_body() -> None:
    data = pack(KEY, STORED)
    head = read_head(KEY, data[: -len(STORED.body)])
    assert head is not None
    assert (head.labels, head.expires_at) == (STORED.labels, STORED.expires_at)
    assert data[head.body_at :] == STORED.body


@pytest.mark.parametrize("key", [OTHER, ""])
def test_the_head_of_another_key_is_nothing(key: str) -> None:
    assert read_head(key, pack(KEY, STORED)) is None
