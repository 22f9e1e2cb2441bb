"""What nginx keeps, and what it makes of conditions, methods and headers."""

from __future__ import annotations

from tests.nginx.stack import Stack, fresh, signed


def test_the_second_request_is_a_hit_with_the_same_bytes(stack: Stack) -> None:
    url = fresh()
    first, second = stack.ask(url), stack.ask(url)
    assert (first.status, first.proxy, second.status, second.proxy) == (200, "MISS", 200, "HIT")
    assert first.body == second.body
    assert first.headers["content-type"] == second.headers["content-type"] == "image/jpeg"
    assert first.headers["etag"] == second.headers["etag"]


def test_the_security_headers_come_through_and_only_once(stack: Stack) -> None:
    url = fresh()
    for answer in (stack.ask(url), stack.ask(url)):
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "nginx/" not in answer.headers["server"]
        assert not [name for name in answer.headers if name.startswith("x-accel-")]


def test_queries_and_fragments_make_no_new_entries(stack: Stack) -> None:
    url = fresh()
    assert stack.ask(url).proxy == "MISS"
    assert [stack.ask(url + tail).proxy for tail in ("?v=2", "?", "?a=1&b=/c", "#x", "?x#y")] == ["HIT"] * 5


def test_errors_are_not_kept_but_those_of_a_source_for_a_moment(stack: Stack) -> None:
    forged = f"/{'x' * 43}/w:10/plain/local:///a.jpg"
    assert [stack.ask(forged).proxy for _ in range(2)] == ["MISS", "MISS"]
    assert stack.ask(forged).status == 403
    wrong = signed(f"/w:x{40}/plain/local:///a.jpg")
    assert [(stack.ask(wrong).status, stack.ask(wrong).proxy) for _ in range(2)] == [(400, "MISS")] * 2
    missing = signed(f"/w:{40 + 20}/plain/local:///none.jpg")
    assert [(answer.status, answer.proxy) for answer in (stack.ask(missing), stack.ask(missing))] == [
        (404, "MISS"),
        (404, "HIT"),
    ]
    assert (stack.ask(missing, "application/json").headers["content-type"]) == "application/json"


def test_answers_to_clients_with_a_secret_are_not_kept(stack: Stack) -> None:
    url = fresh()
    assert stack.ask(url, Authorization="Bearer x").proxy in ("MISS", "BYPASS")
    assert stack.ask(url).proxy == "MISS"


def test_nginx_answers_conditional_requests_from_its_cache(stack: Stack) -> None:
    url = fresh()
    tag = stack.ask(url).headers["etag"]
    answer = stack.ask(url, **{"If-None-Match": tag})
    assert (answer.status, answer.proxy, answer.body) == (304, "HIT", b"")
    assert answer.headers["etag"] == tag
    assert stack.ask(url, **{"If-None-Match": '"other"'}).status == 200


def test_head_is_answered_and_fills_the_cache(stack: Stack) -> None:
    url = fresh()
    head = stack.nginx.ask(url, method="HEAD")
    assert (head.status, head.body, head.proxy) == (200, b"", "MISS")
    whole = stack.ask(url)
    assert (whole.proxy, str(len(whole.body))) == ("HIT", head.headers["content-length"])


def test_each_request_has_its_own_id_on_hits_too(stack: Stack) -> None:
    url = fresh()
    ids = [stack.ask(url).headers["x-request-id"] for _ in range(2)]
    assert len(set(ids)) == 2
    assert stack.ask(url, **{"X-Request-ID": "mine-1"}).headers["x-request-id"] == "mine-1"
    assert stack.ask(url, **{"X-Request-ID": "no id!"}).headers["x-request-id"] != "no id!"


def test_svg_is_compressed_and_pictures_are_not(stack: Stack) -> None:
    svg = stack.ask(signed("/f:svg/plain/local:///a.svg"), **{"Accept-Encoding": "gzip"})
    assert (svg.headers["content-type"], svg.headers.get("content-encoding")) == ("image/svg+xml", "gzip")
    assert "content-encoding" not in stack.ask(fresh(), **{"Accept-Encoding": "gzip"}).headers
