from __future__ import annotations

import pytest

from tests.cli.conftest import Invoke

PATH = "/rs:fit:300:300/plain/http://img.example.com/pretty/image.jpg"


def test_a_path_is_signed_as_it_is(invoke: Invoke) -> None:
    result = invoke("sign", PATH, "--base-url", "https://img.example.com")
    assert result.stdout == f"https://img.example.com/m3k5QADfcKPDj-SDI2AIogZbC3FlAXszuwhtWXYqavc{PATH}\n"


def test_sources_get_options_and_presets_and_where_the_server_listens(invoke: Invoke) -> None:
    result = invoke(
        "sign", "--source", "local:///a.jpg", "-s", "local:///b.jpg", "--option", "w:30", "-p", "grid",
        IMGSERVE_BIND=":9000", IMGSERVE_PATH_PREFIX="/img",
    )  # fmt: skip
    lines = result.stdout.splitlines()
    assert [line.split("/", 5)[:4] for line in lines] == [["http:", "", "127.0.0.1:9000", "img"]] * 2
    assert lines[0].endswith("/preset:grid/width:30/plain/local:///a.jpg")
    assert lines[1].endswith("/preset:grid/width:30/plain/local:///b.jpg")


def test_a_wrong_option_is_told_and_nothing_is_printed(invoke: Invoke) -> None:
    result = invoke("sign", "--source", "local:///a.jpg", "--option", "width:wide")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "width" in result.stderr
    assert "'wide'" in result.stderr


def test_presets_must_exist(invoke: Invoke) -> None:
    result = invoke("sign", "--source", "local:///a.jpg", "-p", "gird")
    assert result.exit_code == 1
    assert "no preset called 'gird'" in result.stderr


@pytest.mark.parametrize("option", ["pr:grid:gird", "preset:gird", "choose:pr:grid:gird", "choose:preset:gird"])
def test_presets_among_options_and_choices_must_exist(invoke: Invoke, option: str) -> None:
    result = invoke("sign", "--source", "local:///a.jpg", "--option", option)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no preset called 'gird'; there are" in result.stderr
    assert invoke("sign", "--source", "local:///a.jpg", "--option", option.replace("gird", "shadow")).exit_code == 0


@pytest.mark.parametrize("option", ["choose", "choose:", "choose:pr", "choose:pr:"])
def test_choices_without_the_name_of_a_preset_are_refused_for_that(invoke: Invoke, option: str) -> None:
    result = invoke("sign", "--source", "local:///a.jpg", "--option", option)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no preset called" not in result.stderr


def test_a_server_of_presets_only_gets_urls_of_presets_only(invoke: Invoke) -> None:
    result = invoke("sign", "--source", "local:///a.jpg", "-p", "grid", "-p", "shadow", IMGSERVE_ONLY_PRESETS="1")
    assert result.stdout.endswith("/grid:shadow/plain/local:///a.jpg\n")
    refused = invoke("sign", "--source", "local:///a.jpg", "--option", "w:3", IMGSERVE_ONLY_PRESETS="1")
    assert "presets only" in refused.stderr


def test_urls_of_facts_have_their_own_options_and_a_route_that_is_not_signed(invoke: Invoke) -> None:
    path = invoke("sign", "--info", PATH, "--base-url", "https://img.example.com/")
    assert path.stdout == f"https://img.example.com/info/m3k5QADfcKPDj-SDI2AIogZbC3FlAXszuwhtWXYqavc{PATH}\n"
    source = invoke("sign", "--info", "-s", "local:///a.jpg", "--option", "lqip:16", "--option", "exif:0")
    assert source.stdout.startswith("http://127.0.0.1:8080/info/")
    assert source.stdout.endswith("/exif:0/lqip:16/plain/local:///a.jpg\n")
    below = invoke("sign", "--info", "-s", "local:///a.jpg", "--base64", IMGSERVE_PATH_PREFIX="/img")
    assert below.stdout.split("/")[3:5] == ["img", "info"]
    assert below.stdout.endswith("/bG9jYWw6Ly8vYS5qcGc\n")


def test_options_of_pictures_are_none_of_facts(invoke: Invoke) -> None:
    wrong = invoke("sign", "--info", "-s", "local:///a.jpg", "--option", "width:300")
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert "no option called 'width'" in wrong.stderr
    assert "have no presets" in invoke("sign", "--info", "-s", "local:///a.jpg", "-p", "grid").stderr


def test_without_a_key_it_is_told_where_it_is(invoke: Invoke) -> None:
    result = invoke("sign", PATH, IMGSERVE_KEY="", IMGSERVE_SALT="")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "IMGSERVE_KEY" in result.stderr
    assert ".run/serve.env" in result.stderr
    unsigned = invoke("sign", PATH, IMGSERVE_KEY="", IMGSERVE_SALT="", IMGSERVE_ALLOW_UNSIGNED="true")
    assert unsigned.stdout.endswith(PATH + "\n")


def test_a_key_without_its_salt_is_refused_with_both_names(invoke: Invoke) -> None:
    result = invoke("sign", PATH, IMGSERVE_SALT="")
    assert result.exit_code == 2
    assert "as many salts as keys" in result.stderr


def test_something_to_sign_is_needed(invoke: Invoke) -> None:
    assert invoke("sign").exit_code == 2
    assert invoke("sign", PATH, "--option", "width:3").exit_code == 2


def test_keygen_makes_another_key_each_time(invoke: Invoke) -> None:
    first, second = (invoke("keygen").stdout.splitlines() for _ in range(2))
    assert first != second
    assert [line.partition("=")[0] for line in first] == ["IMGSERVE_KEY", "IMGSERVE_SALT"]
    assert all(len(bytes.fromhex(line.partition("=")[2])) == 32 for line in first)
