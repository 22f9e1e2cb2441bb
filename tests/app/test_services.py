"""Starting: settings become parts, and all mistakes come at once."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imgserve.app.main import check, create_app
from imgserve.app.services import build_services, render_threads
from imgserve.errors import ConfigError
from imgserve.plan.url import parse
from imgserve.settings import Settings, load
from tests.web.origin import Answer, Origin, running_origin
from tests.web.pictures import png


def settings(**given: str) -> Settings:
    return load({"IMGSERVE_ALLOW_UNSIGNED": "1", **{f"IMGSERVE_{name}": value for name, value in given.items()}})


def test_a_plain_start_has_nothing_to_say() -> None:
    assert check(settings()) == []


def test_all_mistakes_of_a_start_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a picture")
    problems = check(
        settings(
            LOCAL_FILESYSTEM_ROOT=str(tmp_path / "nowhere"),
            PRESETS="a=w:x,b=nonsense",
            URL_REPLACEMENTS="no-equals-sign",
            WATERMARK_PATH=str(tmp_path / "text"),
            FALLBACK_IMAGE_PATH=str(tmp_path / "missing.png"),
            LAST_MODIFIED_BUSTER="yesterday",
            USE_S3="1",
            S3_ENDPOINT="minio:9000",
        )
    )
    for part in ("LOCAL_FILESYSTEM_ROOT", "preset a", "preset b", "URL_REPLACEMENTS", "WATERMARK_PATH",
                 "FALLBACK_IMAGE_PATH", "LAST_MODIFIED_BUSTER", "S3_ENDPOINT"):  # fmt: skip
        assert any(part in problem for problem in problems), part
    assert len(problems) == 8


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"CACHE_S3_ENDPOINT": "minio:9000"}, "IMGSERVE_CACHE_S3_ENDPOINT: "),
        ({"CACHE_S3_PREFIX": "a//b"}, "IMGSERVE_CACHE_S3_PREFIX: "),
    ],
)
def test_a_mistake_of_the_s3_tier_is_told_of_the_setting_that_has_it_and_with_the_others(
    given: dict[str, str], named: str
) -> None:
    tiers = {"CACHE": "memory,redis,s3", "REDIS_URL": "redis://h:port", "CACHE_S3_BUCKET": "b"}
    wrong = settings(**tiers, CACHE_PATH="/proc/nowhere", **given)
    with pytest.raises(ConfigError) as found:
        build_services(wrong)
    assert found.value.problems == check(wrong)
    starts = ("IMGSERVE_CACHE_PATH: ", "IMGSERVE_REDIS_URL: ", named)
    assert [problem.startswith(start) for problem, start in zip(check(wrong), starts, strict=True)] == [True] * 3


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"WATERMARK_DATA": "%%%"}, "IMGSERVE_WATERMARK_DATA: expected base64"),
        ({"WATERMARK_DATA": "aGVsbG8="}, "IMGSERVE_WATERMARK_DATA: it cannot be used"),
        ({"FALLBACK_IMAGE_HTTP_CODE": "99"}, "IMGSERVE_FALLBACK_IMAGE_HTTP_CODE"),
        ({"PRESETS": "a=preset:missing"}, "missing"),
        ({"PRESETS": "a=msr:1"}, "preset a"),
        ({"PRESETS_PATH": "/nonexistent/presets"}, "IMGSERVE_PRESETS_PATH"),
    ],
)
def test_each_mistake_names_its_setting(given: dict[str, str], named: str) -> None:
    problems = check(settings(**given))
    assert len(problems) == 1
    assert named in problems[0]


def test_pictures_are_loaded_from_data_and_files(tmp_path: Path) -> None:
    (tmp_path / "mark.png").write_bytes(png())
    made = build_services(
        settings(WATERMARK_PATH=str(tmp_path / "mark.png"), FALLBACK_IMAGE_DATA=base64.b64encode(png()).decode())
    )
    assert made.renderer.config.watermark == png()
    assert made.fallback is not None
    assert made.fallback.data == png()
    asyncio.run(made.close())


@contextmanager
def origin_in_a_thread() -> Iterator[Origin]:
    """Run an origin beside code that blocks."""
    ready, stop = threading.Event(), threading.Event()
    found: list[Origin] = []

    async def serve() -> None:
        async with running_origin() as origin:
            found.append(origin)
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        yield found[0]
    finally:
        stop.set()
        thread.join()


def test_a_picture_is_fetched_by_url_even_inside_a_running_loop() -> None:
    with origin_in_a_thread() as origin:
        origin.at["/mark.png"] = Answer(body=png())
        given = settings(WATERMARK_URL=f"{origin.base}/mark.png", ALLOW_LOOPBACK_SOURCE_ADDRESSES="1")

        async def uvicorn_does_so() -> bytes | None:
            made = build_services(given)
            await made.close()
            return made.renderer.config.watermark

        assert asyncio.run(uvicorn_does_so()) == png()
        missing = settings(WATERMARK_URL=f"{origin.base}/gone.png", ALLOW_LOOPBACK_SOURCE_ADDRESSES="1")
        assert "IMGSERVE_WATERMARK_URL" in check(missing)[0]


def test_presets_of_all_kinds_are_known_and_the_last_wins(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('doc = "for the test"\nwidth = 7\n')
    (tmp_path / "lines").write_text("# comment\n\nfrom_file=width:8\ngrid=width:9\n")
    folder = build_services(settings(PRESETS_PATH=str(tmp_path), PRESETS="inline=width:6"))
    lines = build_services(settings(PRESETS_PATH=str(tmp_path / "lines")))
    assert {"own", "inline", "grid", "thumbnail"} <= set(folder.grammar.presets)
    assert [one.text() for one in lines.grammar.presets["grid"].ops] == ["width:9"]
    for made in (folder, lines):
        asyncio.run(made.close())


def test_settings_of_the_grammar_arrive() -> None:
    made = build_services(
        settings(
            BASE_URL="http://images.dev/",
            URL_REPLACEMENTS="test://*=http://images.dev/${1}/dolor",
            ALLOWED_PROCESSING_OPTIONS="w,pr,choose",
            PRESETS="p=blur:1",
        )
    )
    plan = parse("w:1/pr:p/plain/test://lorem/ipsum.jpg", made.grammar)
    assert plan.source == "http://images.dev/lorem/dolor/ipsum.jpg"
    assert parse("w:1/plain/a.jpg", made.grammar).source == "http://images.dev/a.jpg"
    assert parse("choose:w:1:2/plain/a.jpg", made.grammar, query="w=2").picked == "w=2"
    asyncio.run(made.close())


def test_every_setting_that_changes_pixels_changes_the_epoch() -> None:
    def epoch(**given: str) -> str:
        made = build_services(settings(**given))
        asyncio.run(made.close())
        return made.renderer.epoch

    plain = epoch()
    assert epoch(TTL="5", TIMEOUT="9", DOWNLOAD_TIMEOUT="1") == plain
    for name, value in (("QUALITY", "7"), ("STRIP_METADATA", "0"), ("AVIF_SPEED", "1"), ("MAX_ANIMATION_FRAMES", "9")):
        assert epoch(**{name: value}) != plain


def test_cpus_are_shared_out_between_workers() -> None:
    assert render_threads(settings(RENDER_THREADS="3")) == 3
    assert render_threads(settings(WORKERS="256")) == 1
    assert render_threads(settings()) == 1
    assert settings(TIMEOUT="4").server.stop_timeout == 8
    assert settings(GRACEFUL_STOP_TIMEOUT="3").server.stop_timeout == 3


def test_the_factory_ends_with_every_mistake_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in (("KEY", ""), ("SALT", ""), ("ALLOW_UNSIGNED", ""), ("TIMEOUT", "soon")):
        monkeypatch.setenv(f"IMGSERVE_{name}", value)
    with pytest.raises(SystemExit) as end:
        create_app()
    assert end.value.code == 78
    assert "IMGSERVE_KEY" in caplog.text
    assert "IMGSERVE_TIMEOUT" in caplog.text


def test_build_services_raises_what_check_lists() -> None:
    with pytest.raises(ConfigError) as wrong:
        build_services(settings(PRESETS="a"))
    assert wrong.value.problems == check(settings(PRESETS="a"))
