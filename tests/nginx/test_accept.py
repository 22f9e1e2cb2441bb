"""The Accept header: nginx has to sort clients as the server does."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from imgserve.web.http import accepted_formats, wants_json
from tests.nginx.proxy import ask
from tests.nginx.stack import AVIF, CHROME, WEBP, Stack, fresh


def test_each_client_gets_its_format_and_each_format_its_entry(stack: Stack) -> None:
    url = fresh()
    kinds = {None: "image/jpeg", CHROME: AVIF, f"{WEBP},*/*": WEBP, AVIF: AVIF}
    for accept, kind in kinds.items():
        assert (stack.ask(url, accept).proxy, accept) == ("MISS", accept)
        assert stack.ask(url, accept).headers["content-type"] == kind
    same = {
        "*/*": "image/jpeg",
        "image/*": "image/jpeg",
        "text/html": "image/jpeg",
        "": "image/jpeg",
        "IMAGE/WEBP , image/avif": AVIF,
        "image/png;q=0.5, image/webp": WEBP,
    }
    for accept, kind in same.items():
        answer = stack.ask(url, accept)
        assert (accept, answer.proxy, answer.headers["content-type"]) == (accept, "HIT", kind)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("image/webp;q=0,image/avif;q=0", "image/jpeg"),
        ("image/avif;q=0,image/webp", WEBP),
        ("image/avif;q=0.5,image/webp;q=0.9", WEBP),
        ("image/avif;q=nonsense", "image/jpeg"),
        ("image/webp;q=0, image/webp", WEBP),
        ('foo;x="image/webp', "image/jpeg"),
        ("image/webpx,ximage/webp,image/web p", "image/jpeg"),
        (",,;;,image/webp,;q=1", WEBP),
        ("image/webp\xa0", WEBP),
        ("$imgserve_bucket image/*", "image/jpeg"),
    ],
)
def test_strange_accept_headers_get_what_the_server_alone_would_give(stack: Stack, accept: str, kind: str) -> None:
    url = fresh()
    stack.ask(url)
    direct = ask(stack.port, url, {"Accept": accept})
    through = stack.ask(url, accept)
    assert (direct.headers["content-type"], through.headers["content-type"]) == (kind, kind)
    assert stack.ask(url, CHROME).headers["content-type"] == AVIF
    assert stack.ask(url).headers["content-type"] == "image/jpeg"


def test_two_accept_headers_put_nothing_into_the_entry_of_others(stack: Stack) -> None:
    url = fresh()
    stack.nginx.ask(url, [("Accept", "image/png"), ("Accept", WEBP)])
    assert stack.ask(url).headers["content-type"] == "image/jpeg"


PIECES = ("image/avif", "image/webp", "Image/WebP", "image/*", "*/*", "text/html", ";q=0", ";q=0.5", "; Q=1", ";q", ",",
          " ", "\t", ";", '"', "x", "json", "application/json", "\xe9", "\x7f", "=", "image/", "avif")  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
@example("image/avif,image/webp")
@example("image/webp;q=0.9 , image/avif")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_bucket_is_the_servers_own_negotiation(stack: Stack, accept: str) -> None:
    answer = ask(stack.nginx.bucket_port, "/", {"Accept": accept})
    if answer.status == 400:
        return  # control characters: nginx refuses the request
    bucket = answer.body.decode("latin-1")
    trimmed = accept.strip(" \t")
    if bucket.startswith("text:"):
        assert bucket in (f"text:{trimmed}", f"text:{accept}", f"text:{accept.strip(' ')}")
        return
    assert bucket == ",".join(accepted_formats(accept))
    assert not wants_json(accept)
