from __future__ import annotations

import json

import pytest

from imgserve.cli.request_lines import asked
from imgserve.errors import BadRequest

OLD = "/unsafe/300x200/https://example.com/a.jpg"
COMBINED = '203.0.113.9 - - [21/Nov/2026:20:09:51 +0000] "{request}" {status} 512 "-" "{agent}"'
BALANCER = (
    "https 2026-11-21T20:09:51.186641Z app/lb/50dc 203.0.113.9:2817 10.0.0.1:80 0.086 0.048 0.037 {status} {status} "
    '0 57 "{request}" "{agent}" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2'
)
FORMS = [COMBINED, BALANCER]


def url_of(text: str) -> str:
    return asked(text).url


def line(form: str, request: str, *, status: int = 200, agent: str = "curl") -> str:
    return form.format(request=request, status=status, agent=agent)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status", [200, 206, 301, 304])
def test_a_request_that_was_answered_is_read(form: str, status: int) -> None:
    assert url_of(line(form, f"GET {OLD} HTTP/1.1", status=status)) == OLD
    assert url_of(line(form, f"HEAD {OLD}?a=1 HTTP/2.0", status=status)) == f"{OLD}?a=1"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 499, 500, 502])
def test_a_request_that_was_refused_is_passed_over(form: str, status: int) -> None:
    assert url_of(line(form, f"GET {OLD} HTTP/1.1", status=status)) == ""


def test_other_methods_and_what_is_no_http_are_passed_over() -> None:
    assert url_of(line(COMBINED, f"POST {OLD}? HTTP/1.1", status=403)) == ""
    assert url_of(line(COMBINED, f"OPTIONS {OLD} HTTP/1.1")) == ""
    assert url_of(line(COMBINED, r"\x16\x03\x01", status=400)) == ""
    assert url_of(line(COMBINED, "-", status=408)) == ""
    assert url_of("  \n") == ""


@pytest.mark.parametrize(("request_text", "status"), [("POST / HTTP/1.1", 200), ("GET /a b HTTP/1.1", 400), ("-", 408)])
def test_what_a_client_calls_itself_is_no_request(request_text: str, status: int) -> None:
    agent = f"GET {OLD} HTTP/1.1"
    assert url_of(line(COMBINED, request_text, status=status, agent=agent) + " 200") == ""
    with pytest.raises(BadRequest):
        url_of(line(COMBINED, "GET /a b HTTP/1.1", agent=agent) + " 200")


def test_logs_in_json_have_the_status_beside_the_request() -> None:
    facts = {"agent": f"GET {OLD}x HTTP/1.1", "request": f"GET {OLD} HTTP/1.1", "status": 200}
    assert url_of(json.dumps(facts)) == OLD
    assert url_of(json.dumps({**facts, "status": "304"})) == OLD
    assert url_of(json.dumps({**facts, "status": 403})) == ""
    assert url_of(json.dumps({**facts, "request": f"POST {OLD} HTTP/1.1"})) == ""


@pytest.mark.parametrize(
    ("path", "logged"),
    [("/unsafe/café.jpg", r"/unsafe/caf\xC3\xA9.jpg"), ('/unsafe/a"b.jpg', r"/unsafe/a\x22b.jpg"),
     ("/unsafe/a\\b.jpg", r"/unsafe/a\x5Cb.jpg"), ('/unsafe/a"b.jpg', r"/unsafe/a\"b.jpg")],
)  # fmt: skip
def test_what_logs_escape_is_undone(path: str, logged: str) -> None:
    assert url_of(line(COMBINED, f"GET {logged} HTTP/1.1")) == path


@pytest.mark.parametrize("text", [OLD, f"https://t.example.com{OLD}", "/unsafe/example.com/a b.jpg", "unsafe/x/a.jpg"])
def test_a_url_alone_is_itself(text: str) -> None:
    assert url_of(f" {text}\n") == text


def test_requests_of_logs_are_told_from_lists() -> None:
    assert not asked(OLD).is_logged
    assert all(asked(line(form, f"GET {OLD} HTTP/1.1")).is_logged for form in FORMS)
    assert asked(json.dumps({"request": f"GET {OLD} HTTP/1.1", "status": 200})).is_logged


def test_what_was_copied_from_html_is_read_as_meant_and_what_was_asked_for_as_it_was() -> None:
    assert url_of("/_next/image?url=%2Fa.jpg&amp;w=64") == "/_next/image?url=%2Fa.jpg&w=64"
    assert url_of(line(COMBINED, "GET /_next/image?url=%2Fa.jpg&amp;w=64 HTTP/1.1")).endswith("&amp;w=64")


@pytest.mark.parametrize(
    "text",
    [
        f'203.0.113.9 "GET {OLD} HTTP/1.1"',
        f"2026-11-21 20:09:51 GET {OLD} - 443 - 203.0.113.9 curl - 403",
        json.dumps({"request": f"GET {OLD} HTTP/1.1"}),
        json.dumps({"request_uri": OLD, "status": 200}),
        "{" + OLD,
        line(COMBINED, r"GET /\xFF\xFE.jpg HTTP/1.1"),
    ],
)
def test_a_line_that_does_not_tell_what_was_answered_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        url_of(text)
