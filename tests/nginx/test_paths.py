"""Paths reach the server as they were sent; some only from this machine."""

from __future__ import annotations

import base64

import pytest

from tests.nginx.proxy import ask
from tests.nginx.stack import SIGNER, Stack, fresh, signed


@pytest.mark.parametrize(
    "path",
    [
        "/w:30/plain/local:///a.jpg",
        "/w:31/plain/local:%2F%2F%2Fa.jpg",
        "/w:32/plain/local%3A%2F%2F%2F%61.jpg",
        "/w:33/plain/local:///two%20%20spaces.jpg",
        "/w:34/plain/local:///%C3%A4+%c3%bc.jpg",
        "/w:35/plain/local:////a.jpg",
        "/w:36/plain/local:///x/../a.jpg",
        "/w:37/plain/local:///x/%2E%2E/a.jpg",
        "/w:38/plain/local:///./a.jpg@png",
        "/w%3A39/plain/local:///a.jpg",
        "/w:40/" + base64.urlsafe_b64encode(b"local:///a.jpg").decode().rstrip("="),
        "/w:41/" + "/".join(base64.urlsafe_b64encode(b"local:///a.jpg").decode().rstrip("=")) + ".png",
        "/w:42/fn:%ff%2f%25/plain/local:///a.jpg",
        "/w:43/" + "/".join(f"cb:{'x' * 240}" for _ in range(50)) + "/plain/local:///a.jpg",
    ],
    ids=lambda path: path[:40],
)
def test_paths_reach_the_server_as_they_were_sent(stack: Stack, path: str) -> None:
    # %3A in options is what imgserve repairs: the signature is over the repaired path.
    url = f"/{SIGNER.sign(path.replace('/w%3A', '/w:'))}{path}"
    direct = ask(stack.port, url)
    through = stack.ask(url)
    assert (through.status, through.body) == (direct.status, direct.body)
    assert through.status != 403
    assert stack.ask(url).proxy == "HIT"


def test_a_url_of_30_kilobytes_is_passed_on(stack: Stack) -> None:
    assert stack.ask("/x/" + "a" * 30_000).headers["content-type"].startswith("text/plain")
    assert stack.ask("/x/" + "a" * 40_000).status == 414


@pytest.mark.parametrize("length", [4_000, 6_000, 15_000])
def test_long_urls_are_kept_like_short_ones(stack: Stack, length: int) -> None:
    padding = "/".join(f"cb:{'a' * 996}" for _ in range(length // 1000))
    url = signed(f"/w:40/{padding}/plain/local:///a.jpg")
    assert [stack.ask(url).proxy for _ in range(2)] == ["MISS", "HIT"]


@pytest.mark.parametrize(
    "target",
    [
        "/metrics",
        "/metrics?x",
        "/METRICS",
        "/v1",
        "/v1/jobs",
        "/v1/jobs/../../x",
        "/explain/x/w:1/plain/local:///a.jpg",
        "/%6detrics",
        "/v1%2Fjobs",
        "/%76%31/jobs/../../x",
    ],
)
def test_inner_routes_are_denied_from_outside(stack: Stack, target: str) -> None:
    answer = stack.nginx.ask(target, {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"}, source="127.0.0.2")
    assert (answer.status, answer.headers.get("content-security-policy")) == (403, None)


def test_inner_routes_are_open_to_this_machine_and_not_kept(stack: Stack) -> None:
    target = "/explain" + fresh()
    answers = [stack.nginx.ask(target) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert all(answer.headers["content-type"] == "application/json" for answer in answers)
    assert "HIT" not in {answer.proxy for answer in answers}


def test_pictures_and_health_are_for_everybody(stack: Stack) -> None:
    assert stack.nginx.ask(fresh(), source="127.0.0.2").status == 200
    assert (stack.nginx.ask("/health", source="127.0.0.2").status, stack.nginx.ask("/health").proxy) == (200, "")


def test_the_log_has_the_cache_status_and_nothing_that_gives_access(stack: Stack) -> None:
    source = base64.urlsafe_b64encode(b"local:///secret.jpg").decode().rstrip("=")
    plain = signed("/w:51/q:9/plain/local:///a.jpg%3Ftoken=secret")
    stack.ask(plain)
    info = signed("/exif:0/plain/local:///a.jpg")
    stack.ask("/info" + info)
    stack.ask(signed(f"/w:52/q:9/{source}"))
    lines = stack.nginx.log(until="/w:52/q:9/(base64) ")
    assert "/info/exif:0/plain/local:///a.jpg " in lines
    assert "/w:51/q:9/plain/local:///a.jpg " in lines
    assert "cache=MISS" in lines
    assert not [text for text in ("secret", source, plain.split("/")[1], info.split("/")[1]) if text in lines]
