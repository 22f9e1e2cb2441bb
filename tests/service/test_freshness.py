"""What an origin says of freshness, and what a kept result is worth at a time."""

from __future__ import annotations

import pytest

from imgserve.ports import Origin
from imgserve.service.freshness import KeepingRules, State, fresh_s, freshened_origin

RULES = KeepingRules(ttl_s=100, stale_while_revalidate_s=10, stale_if_error_s=50)
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("origin", "seconds"),
    [
        (Origin(), 100),
        (Origin(cache_control="public"), 100),
        (Origin(cache_control="max-age=7"), 7),
        (Origin(cache_control="public,max-age=7,immutable"), 7),
        (Origin(cache_control="max-age=7, s-maxage=3"), 3),
        (Origin(cache_control='max-age="7"'), 7),
        (Origin(cache_control="MAX-AGE=7"), 7),
        (Origin(cache_control="max-age=7", headers={"age": "5"}), 2),
        (Origin(cache_control="max-age=7", headers={"age": "50"}), 0),
        (Origin(cache_control="max-age=7", headers={"age": "-5"}), 7),
        (Origin(cache_control="no-cache, max-age=7"), 0),
        (Origin(cache_control="max-age=0"), 0),
        (Origin(cache_control="no-store"), None),
        (Origin(cache_control="private, max-age=600"), None),
        (Origin(cache_control="max-age=soon"), 100),
        (Origin(cache_control="x-max-age=7"), 100),
        (Origin(expires="Fri, 15 Jan 2027 08:01:40 GMT"), 100),
        (Origin(expires="Fri, 15 Jan 2027 08:01:40 GMT", headers={"date": "Fri, 15 Jan 2027 08:01:00 GMT"}), 40),
        (Origin(expires="Fri, 15 Jan 2027 07:00:00 GMT"), 0),
        (Origin(expires="0"), 0),
        (Origin(expires="Fri, 15 Jan 2027 08:01:40 GMT", cache_control="max-age=7"), 7),
    ],
)
def test_what_an_origin_says_decides_and_else_the_operator(origin: Origin, seconds: float | None) -> None:
    assert fresh_s(origin, RULES, now=NOW) == seconds


@pytest.mark.parametrize(
    ("age", "state"),
    [
        (0, State.FRESH),
        (99, State.FRESH),
        (100, State.REVALIDATE),
        (109, State.REVALIDATE),
        (110, State.STALE),
        (149, State.STALE),
        (150, State.DEAD),
        # The clock was set back a little, which two machines' clocks are apart anyway, and far.
        (-30, State.FRESH),
        (-3600, State.STALE),
    ],
)
def test_a_result_goes_from_fresh_to_dead(age: float, state: State) -> None:
    assert RULES.state(stored_at=NOW - age, fresh_until=NOW - age + 100, now=NOW) is state


def test_a_304_freshens_what_is_kept() -> None:
    kept = Origin(etag='"a"', cache_control="max-age=1", content_type="image/png", headers={"age": "1"})
    answer = Origin(status=304, cache_control="max-age=9")
    assert freshened_origin(kept, answer) == Origin(etag='"a"', cache_control="max-age=9", content_type="image/png")
    assert freshened_origin(kept, Origin(status=304)).cache_control == "max-age=1"
