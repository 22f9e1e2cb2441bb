"""ETags that carry the origin's validator, and what conditional requests mean."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgserve.ports import Origin
from imgserve.web.conditions import Validation, etag, last_modified, read_condition

KEY = "k" * 64
ON = Validation()
TAGGED = 'e"abc"'
DATED = "mSat, 21 Nov 2026 08:33:13 GMT"
DATE = DATED[1:]


def test_a_tag_of_ours_becomes_the_condition_for_the_origin() -> None:
    assert read_condition(KEY, ON, etag(KEY, TAGGED, ON), None).origin_headers() == {"If-None-Match": '"abc"'}
    assert read_condition(KEY, ON, etag(KEY, DATED, ON), None).origin_headers() == {"If-Modified-Since": DATE}


def test_weak_and_listed_tags_count() -> None:
    other, weak = etag(KEY, 'eW/"w"', ON), "W/" + etag(KEY, TAGGED, ON)
    assert other.startswith("W/")
    condition = read_condition(KEY, ON, f'"foreign", {other}, {weak}', None)
    assert condition.origin_headers() == {"If-None-Match": 'W/"w", "abc"'}
    assert condition.holds(TAGGED, Origin())


def test_a_tag_of_another_plan_or_buster_is_no_condition() -> None:
    tag = etag(KEY, TAGGED, ON)
    for condition in (
        read_condition("x" * 64, ON, tag, None),
        read_condition(KEY, Validation(etag_buster="2"), tag, None),
        read_condition(KEY, Validation(use_etag=False), tag, None),
    ):
        assert condition.origin_headers() == {}
        assert not condition.holds(TAGGED, Origin())


def test_a_hash_of_bytes_is_compared_after_the_download() -> None:
    hashed = "h" + "0" * 64
    condition = read_condition(KEY, ON, etag(KEY, hashed, ON), None)
    assert condition.origin_headers() == {}
    assert condition.holds(hashed, Origin())
    assert not condition.holds("h" + "1" * 64, Origin())


def test_a_star_matches_whatever_there_is() -> None:
    condition = read_condition(KEY, ON, " * ", None)
    assert condition.origin_headers() == {}
    assert condition.holds(TAGGED, Origin())


@pytest.mark.parametrize("validator", ['e"a\r\nX: y"', "eabc", "mSat\r\nCookie: a", "x1", "e", 'e"ä"'])
def test_a_forged_validator_never_reaches_the_origin(validator: str) -> None:
    forged = etag(KEY, validator, ON)
    assert read_condition(KEY, ON, forged, None).validators == ()


def test_a_tag_has_no_control_characters_whatever_the_validator() -> None:
    assert etag(KEY, 'e"a\r\nb"', ON).isprintable()


@given(st.text(max_size=100))
def test_any_if_none_match_is_read(text: str) -> None:
    assert read_condition(KEY, ON, text, None).validators == ()


@given(st.binary(max_size=60))
def test_any_tag_of_our_shape_is_read(raw: bytes) -> None:
    encoded = base64.urlsafe_b64encode(raw).decode()
    assert read_condition(KEY, ON, f'"aaaaaaaaaaaaaaaaaaaa.{encoded}"', None).validators == ()


def test_a_date_is_the_condition_only_without_tags() -> None:
    assert read_condition(KEY, ON, None, DATE).origin_headers() == {"If-Modified-Since": DATE}
    assert read_condition(KEY, ON, '"foreign"', DATE).origin_headers() == {}
    assert read_condition(KEY, Validation(use_last_modified=False), None, DATE).origin_headers() == {}
    assert read_condition(KEY, ON, None, "never").origin_headers() == {}


def test_a_date_holds_for_sources_that_are_not_newer() -> None:
    condition = read_condition(KEY, ON, None, DATE)
    assert condition.holds(TAGGED, Origin(last_modified=DATE))
    assert not condition.holds(TAGGED, Origin(last_modified="Sat, 21 Nov 2026 08:33:14 GMT"))
    assert not condition.holds(TAGGED, Origin())


def test_the_buster_makes_everything_as_new_as_itself() -> None:
    busted = Validation(last_modified_buster=1_900_000_000.0)
    assert last_modified(Origin(last_modified=DATE), busted) == "Sun, 17 Mar 2030 17:46:40 GMT"
    before = read_condition(KEY, busted, None, DATE)
    assert before.origin_headers() == {}
    assert not before.holds(TAGGED, Origin(last_modified=DATE))
    after = read_condition(KEY, busted, None, "Sun, 17 Mar 2030 17:46:40 GMT")
    assert after.holds(TAGGED, Origin(last_modified=DATE))


def test_a_304_of_the_origin_keeps_the_tag_of_the_result() -> None:
    condition = read_condition(KEY, ON, f"{etag(KEY, DATED, ON)}, {etag(KEY, TAGGED, ON)}", None)
    assert condition.validator_of(Origin(status=304, etag='"abc"')) == TAGGED
    assert condition.validator_of(Origin(status=304)) == DATED
    by_date = read_condition(KEY, ON, None, DATE)
    assert by_date.validator_of(Origin(status=304, etag='"abc"')) == TAGGED
    assert by_date.validator_of(Origin(status=304, etag="broken")) == ""


def test_validators_can_be_switched_off() -> None:
    off = Validation(use_etag=False, use_last_modified=False)
    assert etag(KEY, TAGGED, off) == ""
    assert last_modified(Origin(last_modified=DATE), off) == ""
    assert last_modified(Origin(last_modified="nonsense"), ON) == ""
