"""Numbers and dates of strangers never raise."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imgserve.adapters.sources.header_values import http_date, whole_number

MONTHS = ["Jan", "Feb", "Sep", "Dec", "Foo"]
NUMBERS = st.integers(-(10**20), 10**20).map(str) | st.integers(-1, 100).map(str) | st.text("0123456789²٣", max_size=30)


@st.composite
def dates(draw: st.DrawFn) -> str:
    """Texts that look like a date, with numbers that no calendar has."""
    day, year, hour, minute, second = (draw(NUMBERS) for _ in range(5))
    zone = draw(st.sampled_from(["GMT", "", "-0000", "EST", "+", "-"])) + draw(st.just("") | NUMBERS)
    name = draw(st.sampled_from(["Wed, ", "", "Wed ", "Wednesday, "]))
    gap = draw(st.sampled_from([" ", "-", "  "]))
    return f"{name}{day}{gap}{draw(st.sampled_from(MONTHS))}{gap}{year} {hour}:{minute}:{second} {zone}"


@given(dates() | st.text())
@example("1 Jan 1 1:1:1 +999999999999999")
@example("1 Jan 1 00:00:00 +0100")
@example("31 Dec 9999 23:59:59 -0100")
@example("1 Jan " + "9" * 5000 + " 1:1:1 GMT")
def test_any_text_is_a_date_in_utc_or_none(text: str) -> None:
    date = http_date(text)
    assert date is None or date.tzinfo is dt.UTC
    if date is not None:
        date.timestamp()


@given(NUMBERS | st.text() | st.just("9" * 5000))
def test_any_text_is_a_number_or_none(text: str) -> None:
    number = whole_number(text)
    assert number is None or (text.isascii() and number == int(text))


@pytest.mark.parametrize(
    "text",
    [
        "Wed, 21 Oct 2026 07:28:00 GMT",
        "Wednesday, 21-Oct-26 07:28:00 GMT",
        "Wed Oct 21 07:28:00 2026",
        "Wed, 21 Oct 2026 07:28:00 -0000",
        "Wed, 21 Oct 2026 09:28:00 +0200",
    ],
)
def test_every_form_of_a_date_is_read(text: str) -> None:
    assert http_date(text) == dt.datetime(2026, 10, 21, 7, 28, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("9" * 19, 10**19 - 1), ("9" * 20, None), ("²", None), ("", None)]
)
def test_numbers_have_ascii_digits_and_64_bits(text: str, number: int | None) -> None:
    assert whole_number(text) == number
