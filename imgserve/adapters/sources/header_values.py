"""Reading numbers and dates from headers that strangers wrote: None for what cannot be read, never an exception."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

#: A whole number of at most 19 digits, all that 64 bits need. int() refuses texts of more than 4300 with a ValueError.
DIGITS = "[0-9]{1,19}"
#: The longest of the three forms of RFC 9110 section 5.6.7 has 33 characters.
MAX_DATE_CHARS = 64

_DIGITS = re.compile(DIGITS)


def whole_number(text: str | None) -> int | None:
    # Not isdigit(): it lets "²" through, which int() does not read.
    return int(text) if text is not None and _DIGITS.fullmatch(text) else None


def http_date(text: str) -> dt.datetime | None:
    """Read a date, in UTC."""
    if len(text) > MAX_DATE_CHARS:
        return None
    try:
        date = parsedate_to_datetime(text)
        # "-0000" gives a date without zone, and is UTC; a zone of millions of hours leads out of the calendar.
        return date.replace(tzinfo=dt.UTC) if date.tzinfo is None else date.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def lower_names(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
