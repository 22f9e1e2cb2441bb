"""Allowed sources: prefixes with wildcards that no look-alike host passes."""

from __future__ import annotations

import pytest

from imgserve.errors import BadRequest, SourceForbidden
from imgserve.plan.sources import compile_patterns, scheme_of


@pytest.mark.parametrize(
    ("pattern", "url", "allowed"),
    [
        ("http://images.dev/", "http://images.dev/a.jpg", True),
        ("http://images.dev/", "https://images.dev/a.jpg", False),
        ("local://", "local:///a.jpg", True),
        ("local:///public/", "local:///public/a.jpg", True),
        ("local:///public/", "local:///private/a.jpg", False),
        ("local:///public/", "local:///public/../private/a.jpg", False),
        ("local:///public/", "local:///public/%2e%2e/private/a.jpg", False),
        ("local:///public/", "local:///public/%2E./private/a.jpg", False),
        ("local:///public/", "local:///public/#/../../private/a.jpg", False),
        ("local:///public/", "local:///public/?/../../private/a.jpg", False),
        ("local:///public/", "local:///public/a#1.jpg", True),
        ("s3://good/", "s3://good/#/../../evil/a.jpg", False),
        ("http://images.dev/", "http://images.dev?/../a.jpg", False),
        ("http://images.dev/a", "http://images.dev?a=1", False),
        ("http://*.mycdn.dev", "http://a-1.mycdn.dev/a.jpg", True),
        ("http://*.mycdn.dev", "http://a-1.b-2.mycdn.dev/a.jpg", True),
        ("http://*.mycdn.dev", "http://A-1.MyCDN.dev/a.jpg", True),
        ("http://*.mycdn.dev", "http://other.dev/.mycdn.dev/a.jpg", False),
        ("http://*.mycdn.dev", "http://other.dev?.mycdn.dev/a.jpg", False),
        ("http://*.mycdn.dev", "http://other.dev#.mycdn.dev/a.jpg", False),
        ("http://*.mycdn.dev", "http://other.dev\\.mycdn.dev/a.jpg", False),
        ("http://*.mycdn.dev", "http://x@a.mycdn.dev/a.jpg", False),
        ("http://images.dev", "http://images.dev.evil.com/a.jpg", False),
        ("http://images.dev", "http://images.dev@evil.com/a.jpg", False),
        ("http://images.dev", "http://images.dev:80@evil.com/a.jpg", False),
        ("http://images.dev", "http://images.dev", True),
        ("s3://bucket/", "s3://bucket-2/a.jpg", False),
        ("s3://bucket", "s3://bucket-2/a.jpg", False),
        ("http://images.dev/*/public/", "http://images.dev/x/public/a.jpg", True),
        ("http://images.dev/*/public/", "http://images.dev/x/y/public/a.jpg", False),
        ("http://[::1", "http://[::1", False),
    ],
)
def test_patterns(pattern: str, url: str, allowed: bool) -> None:
    assert compile_patterns([pattern]).allows(url) is allowed


def test_no_pattern_allows_everything() -> None:
    compile_patterns([]).check("http://anything.dev/")


def test_any_of_several_patterns_is_enough() -> None:
    both = compile_patterns(["s3://", "local:///public/"])
    assert both.allows("local:///public/a.jpg")
    with pytest.raises(SourceForbidden):
        both.check("http://images.dev/a.jpg")


def test_scheme() -> None:
    assert scheme_of("HTTPS://images.dev/") == "https"
    for url in ("images.dev/a.jpg", "//images.dev", "1x://a", "local:/a"):
        with pytest.raises(BadRequest):
            scheme_of(url)
