from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from imgserve.cli.main import main
from tests.cli.conftest import Invoke
from tests.running import KEY, SALT

BASE = ("--base-url", "https://img.example.com")
OLD = "/unsafe/300x200/https://example.com/a.jpg"


def test_a_url_is_translated_and_signed_as_sign_does_it(invoke: Invoke) -> None:
    translated = invoke("translate", OLD, *BASE)
    signed = invoke("sign", "-s", "https://example.com/a.jpg", "--option", "resize:fill:300:200:1", *BASE)
    assert translated.stdout == signed.stdout
    assert translated.exit_code == 0
    assert f"taken for thumbor; if it is not, name the server with --from: {OLD}" in translated.stderr


def test_options_and_presets_are_added_and_win(invoke: Invoke) -> None:
    result = invoke("translate", OLD, "--from", "thumbor", "--option", "height:100", "-p", "grid", *BASE)
    assert "/preset:grid/resizing_type:fill/width:300/height:100/enlarge:1/plain/" in result.stdout
    assert result.stderr == ""


def test_what_has_no_counterpart_is_told_once_and_only_strict_fails(invoke: Invoke) -> None:
    urls = ["/unsafe/filters:grayscale()/example.com/a.jpg", "/unsafe/filters:grayscale()/example.com/b.jpg"]
    result = invoke("translate", *urls)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr.count("not translated: filters:grayscale(): ") == 1
    assert "2 URLs: 2 in part" in result.stderr
    assert invoke("translate", *urls, "--strict").exit_code == 1
    assert invoke("translate", OLD, "--strict").exit_code == 0


def test_what_is_not_understood_is_told_and_the_rest_is_translated(invoke: Invoke) -> None:
    result = invoke("translate", "hello", OLD)
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 1
    assert "hello: This URL is not understood" in result.stderr


def test_lines_of_access_logs_are_read_but_for_what_was_refused(invoke: Invoke, tmp_path: Path) -> None:
    line = f'203.0.113.9 - - [21/Nov/2026:20:09:51 +0000] "GET {OLD} HTTP/1.1" 200 512 "-" "curl"\n'
    refused = line.replace('" 200', '" 403')
    (tmp_path / "access.log").write_text(line + "\n" + refused + line, "utf-8")
    assert invoke("translate", "--file", "access.log", *BASE).stdout == invoke("translate", OLD, *BASE).stdout


def log_of(*paths: str) -> str:
    return "".join(f'203.0.113.9 - - [21/Nov/2026:20:09:51 +0000] "GET {path} HTTP/1.1" 200 512\n' for path in paths)


def test_urls_of_a_log_are_there_once_the_most_wanted_first(invoke: Invoke, tmp_path: Path) -> None:
    often = OLD.replace("a.jpg", "b.jpg")
    (tmp_path / "access.log").write_text(log_of(OLD, often, often), "utf-8")
    (tmp_path / "older.log").write_text(log_of(OLD, often), "utf-8")
    files = ("--file", "access.log", "--file", "older.log", *BASE)
    plain = invoke("translate", often, OLD, *BASE).stdout
    assert invoke("translate", *files).stdout == plain
    hits = [line.split("\t") for line in invoke("translate", *files, "--hits").stdout.splitlines()]
    assert hits == [[number, url] for number, url in zip("32", plain.splitlines(), strict=True)]
    facts = [json.loads(line)["hits"] for line in invoke("translate", *files, "--json").stdout.splitlines()]
    assert facts == [3, 2]


def test_lines_of_a_list_are_answered_one_by_one(invoke: Invoke, tmp_path: Path) -> None:
    other = OLD.replace("a.jpg", "b.jpg")
    (tmp_path / "list").write_text(f"{OLD}\n{other}\n{OLD}\n", "utf-8")
    lines = invoke("translate", "--file", "list", *BASE).stdout.splitlines()
    assert len(lines) == 3
    assert lines[0] == lines[2] != lines[1]


@pytest.mark.parametrize("arguments", [(), ("--from", "thumbor", "--source-base", "local:///")])
def test_what_is_no_picture_in_a_log_is_passed_over(invoke: Invoke, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    others = ["/favicon.ico", "/", "/products/mug", "/static/app.css", "/favicon.ico"]
    (tmp_path / "access.log").write_text(log_of(*others, OLD), "utf-8")
    result = invoke("translate", "--file", "access.log", "--strict", *arguments, *BASE)
    assert (result.exit_code, result.stdout) == (0, invoke("translate", OLD, *BASE).stdout)
    assert "(addresses: 4, requests: 5): /favicon.ico, " in result.stderr
    assert "not understood" not in result.stderr
    (tmp_path / "list").write_text("/favicon.ico\n", "utf-8")
    assert invoke("translate", "--file", "list").exit_code == 1


def test_a_log_without_any_picture_is_a_failure(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text(log_of("/favicon.ico"), "utf-8")
    result = invoke("translate", "--file", "access.log")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "passed over" in result.stderr


def test_what_was_copied_from_html_is_read_as_browsers_do(invoke: Invoke) -> None:
    copied = "/_next/image?url=https%3A%2F%2Fexample.com%2Fa.jpg&amp;w=640&amp;q=75"
    for form in ((), ("--map",)):
        meant = invoke("translate", copied.replace("&amp;", "&"), *form, *BASE)
        assert invoke("translate", copied, *form, *BASE).stdout == meant.stdout != ""


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_lines_of_standard_input_are_read(invoke: Invoke, arguments: tuple[str, ...]) -> None:
    environment = {"IMGSERVE_KEY": KEY, "IMGSERVE_SALT": SALT}
    result = CliRunner().invoke(main, ["translate", *arguments, *BASE], env=environment, input=f"\n{OLD}\n")
    assert result.stdout == invoke("translate", OLD, *BASE).stdout


def test_json_has_all_that_was_found(invoke: Invoke) -> None:
    result = invoke("translate", "/cdn-cgi/image/w=9,blur=3,draw=x/a.jpg", "hello", "--json", "-p", "grid",
                    "--source-base", "https://s.example.com", *BASE)  # fmt: skip
    found, wrong = map(json.loads, result.stdout.splitlines())
    assert (found["dialect"], found["guessed"], found["presets"]) == ("cloudflare", True, ["grid"])
    assert (found["source"], found["options"]) == ("https://s.example.com/a.jpg", ["resize:fit:9", "blur:3"])
    assert [note["part"] for note in found["dropped"]] == ["draw=x"]
    assert [note["part"] for note in found["differs"]] == ["blur=3"]
    assert found["translated"].startswith("https://img.example.com/")
    assert wrong["url"] == "hello"
    assert "not understood" in wrong["error"]


def test_a_map_for_nginx_has_each_old_request_once_and_no_variables(invoke: Invoke) -> None:
    urls = [f"https://t.example.com{OLD}", OLD, "/_ipx/w_9/https://example.com/$a.jpg"]
    lines = invoke("translate", *urls, "--map", *BASE).stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f'"{OLD}" "https://img.example.com/')
    assert lines[0].endswith('/plain/https://example.com/a.jpg";')
    assert "$" not in lines[1].split('" "')[1]


def test_keys_of_a_map_are_requests_and_never_patterns_or_its_default(invoke: Invoke) -> None:
    urls = ["~*^/unsafe/https://example.com/a.jpg", "default", f"HTTPS://T.example.com{OLD}#top"]
    lines = invoke("translate", *urls, "--map", "--from", "thumbor", "--source-base", "local:///", *BASE).stdout
    keys = [line.split('" "')[0].removeprefix('"') for line in lines.splitlines()]
    assert keys == ["/~*^/unsafe/https://example.com/a.jpg", "/default", OLD]


def test_a_map_has_no_two_keys_that_nginx_takes_for_one(invoke: Invoke) -> None:
    result = invoke("translate", OLD, OLD.replace("a.jpg", "A.jpg"), OLD, "--map", *BASE)
    assert len(result.stdout.splitlines()) == 1
    assert "no capitals" in result.stderr
    assert result.exit_code == 1


def test_lines_that_are_not_understood_are_told_in_json_too(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text(f'9.9.9.9 "GET {OLD} HTTP/1.1"\n{OLD}\n', "utf-8")
    result = invoke("translate", "--file", "access.log", "--json", *BASE)
    wrong, found = map(json.loads, result.stdout.splitlines())
    assert "how it was answered" in wrong["error"]
    assert found["url"] == OLD
    assert result.exit_code == 1


def test_without_a_key_the_urls_are_unsigned_and_a_warning_says_so(invoke: Invoke) -> None:
    result = invoke("translate", OLD, *BASE, IMGSERVE_KEY="", IMGSERVE_SALT="")
    assert result.exit_code == 0
    assert "not signed" in result.stderr
    assert ".run/serve.env" in result.stderr


def test_mistakes_in_what_is_added_are_told_before_anything_is_printed(invoke: Invoke) -> None:
    mistakes = ((("--option", "width:wide"), "'wide'"), (("-p", "gird"), "'gird'"), (("--option", "pr:gird"), "'gird'"),
                (("--json", "--map"), "exclude"), (("--hits", "--map"), "exclude"))  # fmt: skip
    for arguments, told in mistakes:
        result = invoke("translate", OLD, *arguments)
        assert result.exit_code in (1, 2)
        assert (result.stdout, told in result.stderr) == ("", True)
    assert "presets only" in invoke("translate", OLD, IMGSERVE_ONLY_PRESETS="1").stderr
