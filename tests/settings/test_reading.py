"""Settings: one declaration a variable, all mistakes at once, imgproxy's names read too."""

from __future__ import annotations

import dataclasses

import pytest

from imgserve import settings
from imgserve.errors import ConfigError

UNSIGNED = {"IMGSERVE_ALLOW_UNSIGNED": "true"}


def load(**variables: str) -> settings.Settings:
    return settings.load({**UNSIGNED, **variables})


def problems(**variables: str) -> list[str]:
    with pytest.raises(ConfigError) as wrong:
        settings.load(variables)
    return wrong.value.problems


def test_every_group_stands_in_settings_and_has_a_heading() -> None:
    held = [field.default.__class__ for field in dataclasses.fields(settings.Settings) if field.name != "warnings"]
    assert held == list(settings.GROUPS)
    assert all(cls.__doc__ for cls in settings.GROUPS)


def test_no_variable_is_declared_twice() -> None:
    names = [variable for _, variable, _ in settings.rows()]
    assert len(names) == len(set(names))


def test_every_default_is_valid() -> None:
    for _, variable, param in settings.rows():
        assert param.kind.check(param.default) == param.default, variable
        assert param.doc, variable


def test_values_are_read_by_kind() -> None:
    loaded = load(
        IMGSERVE_BIND="127.0.0.1:9000",
        IMGSERVE_TTL="60",
        IMGSERVE_TIMEOUT="2.5",
        IMGSERVE_AUTO_WEBP="1",
        IMGSERVE_PREFERRED_FORMATS="webp, jpg",
        IMGSERVE_FORMAT_QUALITY="avif=50,png=1",
        IMGSERVE_URL_REPLACEMENTS="a=b;c=d",
    )
    assert loaded.server.bind == "127.0.0.1:9000"
    assert (loaded.caching.ttl, loaded.server.timeout, loaded.negotiation.auto_webp) == (60, 2.5, True)
    assert loaded.negotiation.preferred_formats == ("webp", "jpeg")
    assert dict(loaded.encoding.format_quality) == {"avif": 50, "jxl": 77, "png": 1, "webp": 79}
    assert loaded.url.url_replacements == ("a=b", "c=d")


def test_imgproxys_name_is_read_where_ours_is_unset() -> None:
    assert load(IMGPROXY_TTL="5").caching.ttl == 5
    assert load(IMGPROXY_TTL="5", IMGSERVE_TTL="6").caching.ttl == 6
    assert load(IMGPROXY_TTL="5", IMGSERVE_TTL="").caching.ttl == 5


def test_names_that_mean_something_else_in_imgproxy_are_not_read() -> None:
    loaded = load(IMGPROXY_WORKERS="64", IMGPROXY_REQUESTS_QUEUE_SIZE="0")
    assert (loaded.server.workers, loaded.server.requests_queue_size) == (0, 128)
    assert [warning.partition(" ")[0] for warning in loaded.warnings] == [
        "IMGPROXY_REQUESTS_QUEUE_SIZE",
        "IMGPROXY_WORKERS",
    ]


def test_an_open_server_on_every_address_is_warned_of() -> None:
    assert "whoever reaches this address" in load(IMGSERVE_BIND=":8080").warnings[0]
    assert load(IMGSERVE_BIND="[::1]:8080").warnings == ()


def test_values_that_could_not_work_are_refused() -> None:
    found = problems(
        **UNSIGNED,
        IMGSERVE_ALLOWED_SOURCES="cdn.example",
        IMGSERVE_PREFERRED_FORMATS=",",
        IMGSERVE_USER_AGENT="☃",
        IMGSERVE_ALLOW_ORIGIN="é",
    )
    assert len(found) == 4


def test_unknown_variables_are_named_with_a_guess() -> None:
    warnings = load(IMGSERVE_BNID="x", IMGPROXY_NETWORK="tcp", OTHER_VARIABLE="1").warnings
    assert warnings == (
        "IMGPROXY_NETWORK has no effect: IMGSERVE_BIND decides",
        "IMGSERVE_BNID is not a setting of this server; did you mean IMGSERVE_BIND?",
    )


def test_all_mistakes_are_reported_together() -> None:
    found = problems(IMGSERVE_QUALITY="500", IMGPROXY_TTL="soon", IMGSERVE_CACHE="tape")
    assert len(found) == 4
    assert "IMGSERVE_QUALITY: expected an integer from 1 to 100, got '500' (quality of lossy formats)" in found
    assert "IMGPROXY_TTL: expected an integer of 0 or more, got 'soon' (seconds that answers stay fresh)" in found
    assert any(line.startswith("IMGSERVE_CACHE: expected ") for line in found)
    assert any("IMGSERVE_KEY and IMGSERVE_SALT are not set" in line for line in found)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"IMGSERVE_CACHE": "memory,off"}, "IMGSERVE_CACHE: expected off, or each of"),
        ({"IMGSERVE_CACHE": "off,disk"}, "IMGSERVE_CACHE: expected off, or each of"),
        ({"IMGSERVE_CACHE": "disk,disk"}, "IMGSERVE_CACHE: expected off, or each of"),
        ({"IMGSERVE_CACHE": "disk,memory"}, "IMGSERVE_CACHE: expected faster tiers first"),
        ({"IMGSERVE_CACHE": "memory,redis"}, "IMGSERVE_REDIS_URL: expected redis://host:port"),
        ({"IMGSERVE_REDIS_URL": "http://:secret@x"}, "IMGSERVE_REDIS_URL: expected one of redis://"),
        ({"IMGSERVE_CACHE": "memory,s3"}, "IMGSERVE_CACHE_S3_BUCKET: expected a bucket"),
        ({"IMGSERVE_API_KEYS": "deploy:secret"}, "IMGSERVE_API_KEYS: expected name:hash pairs"),
    ],
)
def test_a_cache_that_cannot_be_is_refused(given: dict[str, str], sentence: str) -> None:
    found = problems(IMGSERVE_KEY="aa", IMGSERVE_SALT="bb", **given)
    assert len(found) == 1
    assert found[0].startswith(sentence)
    assert "secret" not in found[0]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://redis.internal:6379/0?password=hunter2", "'http://redis.internal:6379'"),
        ("http://user:hunter2@redis.internal", "a value that is not shown"),
        ("http://[hunter2", "a value that is not shown"),
        ("hunter2", "a value that is not shown"),
    ],
)
def test_a_wrong_url_of_redis_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    (found,) = problems(**UNSIGNED, IMGSERVE_REDIS_URL=url)
    assert found.endswith(f"got {shown}")
    assert "hunter2" not in found


@pytest.mark.parametrize(
    ("variable", "given", "unit"),
    [("IMGSERVE_MEMORY_CACHE_SIZE", "64M", "bytes"), ("IMGSERVE_CACHE_TTL", "1h", "seconds")],
)
def test_a_number_with_a_unit_is_told_what_is_counted(variable: str, given: str, unit: str) -> None:
    (found,) = problems(**UNSIGNED, **{variable: given})
    assert f"got {given!r} ({unit} " in found


def test_a_url_of_redis_without_its_tier_is_warned_of() -> None:
    given = {"IMGSERVE_REDIS_URL": "redis://redis.internal"}
    (warning,) = load(**given).warnings
    assert "IMGSERVE_CACHE is memory,disk, without redis" in warning
    apart = {**given, "IMGSERVE_QUEUE_REDIS_URL": "redis://queue.internal"}
    assert load(**apart, IMGSERVE_CACHE="memory,redis").warnings == ()


def test_a_queue_in_the_caches_redis_and_one_whose_workers_share_no_cache_are_warned_of() -> None:
    given = {"IMGSERVE_REDIS_URL": "redis://redis.internal", "IMGSERVE_CACHE": "memory,redis"}
    (warning,) = load(**given).warnings
    assert "IMGSERVE_QUEUE_REDIS_URL is not set" in warning
    (warning,) = load(IMGSERVE_QUEUE_REDIS_URL="redis://queue.internal").warnings
    assert "redis or s3 in IMGSERVE_CACHE, which is memory,disk" in warning


def test_a_cache_path_that_is_relative_is_warned_of() -> None:
    (warning,) = load(IMGSERVE_CACHE_PATH="cache").warnings
    assert "IMGSERVE_CACHE_PATH: 'cache' is relative" in warning
    assert load(IMGSERVE_CACHE_PATH="/var/cache/imgserve").warnings == ()


def test_keys_and_salts_pair() -> None:
    assert settings.load({"IMGSERVE_KEY": "aa,bb", "IMGSERVE_SALT": "cc,dd"}).url.key == ("aa", "bb")
    assert "2 keys and 1 salts" in problems(IMGSERVE_KEY="aa,bb", IMGSERVE_SALT="cc")[0]
    assert len(found := problems(IMGSERVE_KEY="secret!", IMGSERVE_SALT="cc")) == 1
    assert "hex" in found[0]


def test_secrets_do_not_appear_in_messages() -> None:
    found = problems(IMGSERVE_KEY="\x01hunter2", IMGSERVE_SALT="cc")
    assert not any("hunter2" in line for line in found)


def test_one_watermark_only() -> None:
    found = problems(**UNSIGNED, IMGSERVE_WATERMARK_PATH="a.png", IMGSERVE_WATERMARK_URL="http://a.dev/a.png")
    assert found == ["IMGSERVE_WATERMARK_DATA, _PATH and _URL: expected one of them, got path and url"]


def test_without_a_key_the_server_does_not_start() -> None:
    assert "ALLOW_UNSIGNED" in problems()[0]
