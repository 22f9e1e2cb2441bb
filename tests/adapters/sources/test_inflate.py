"""Compressed bodies: what they decode to, and an end to those that decode to nothing."""

from __future__ import annotations

import gzip

import pytest

from imgserve.adapters.sources.inflate import MAX_MEMBERS, PIECE_BYTES, Inflate
from imgserve.errors import SourceUnreachable

EMPTY = gzip.compress(b"")


def inflated(data: bytes, *, portion: int) -> list[bytes]:
    inflate = Inflate("gzip", "The test")
    pieces = [piece for at in range(0, len(data), portion) for piece in inflate.feed(data[at : at + portion])]
    inflate.finish()
    return pieces


@pytest.mark.parametrize("portion", [7, 10**9])
def test_as_many_members_as_an_encoder_makes_are_one_body(portion: int) -> None:
    body = gzip.compress(b"ab") + EMPTY * (MAX_MEMBERS - 2) + gzip.compress(b"cd")
    assert b"".join(inflated(body, portion=portion)) == b"abcd"


@pytest.mark.parametrize("portion", [7, 10**9])
def test_more_members_than_that_are_refused(portion: int) -> None:
    with pytest.raises(SourceUnreachable, match=f"more than {MAX_MEMBERS} members"):
        inflated(EMPTY * (MAX_MEMBERS + 1), portion=portion)


def test_empty_members_are_given_up_after_a_bounded_number_of_steps() -> None:
    steps = 0
    with pytest.raises(SourceUnreachable):  # noqa: PT012  # the steps up to the error are what is counted
        for _ in Inflate("gzip", "The test").feed(EMPTY * 100_000):
            steps += 1
    assert steps == MAX_MEMBERS


def test_pieces_are_bounded() -> None:
    pieces = inflated(gzip.compress(bytes(10 * PIECE_BYTES)), portion=10**9)
    assert max(map(len, pieces)) == PIECE_BYTES
