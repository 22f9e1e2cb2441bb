"""The measurements with bars: their arithmetic, their sentences, and what they read from other programs."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from bench.__main__ import arguments
from bench.bars import BARS
from bench.checks import WrongAnswer
from bench.contenders import DEFAULTS, OURS
from bench.defaults import bars_of as bars_of_defaults
from bench.figures import Slice
from bench.findings import Bar, Findings, Table, as_markdown
from bench.hot import BARE, MEMORY, Turn, bars_of
from bench.memory import growth, urls
from bench.proxy import shipped
from bench.start import families, read_imports
from bench.workshop import REPOSITORY
from bench.wrk import read_figures


@pytest.mark.parametrize("name", sorted(BARS))
def test_every_measurement_is_a_subcommand_with_a_report(name: str) -> None:
    options = arguments().parse_args([name])
    assert options.command == name
    assert options.out.name == name


@pytest.mark.parametrize(
    ("measured", "wanted", "at_least", "met"), [(0.9, 0.9, True, True), (0.8, 0.9, True, False), (51, 50, False, False)]
)
def test_a_bar_is_reached_from_its_own_side(measured: float, wanted: float, at_least: bool, met: bool) -> None:
    assert Bar(name="x", measured=measured, wanted=wanted, at_least=at_least).met is met


def test_a_report_says_what_was_missed() -> None:
    found = Findings(
        title="Hits", command="python -m bench hot", machine={"cores": "2"}, versions={"libvips": "8"},
        bars=(Bar(name="p99", measured=80, wanted=50, at_least=False, unit="ms"),),
        tables=(Table("Ways", ["way"], [["memory"]]),), notes=("a note",),
    )  # fmt: skip
    text = as_markdown(found)
    assert "| p99    | 80 ms    | <= 50 ms | MISSED |" in text
    assert "## Ways" in text
    assert text.endswith("- a note\n")


def hit(way: str, *, round: int, rps: float) -> Turn:
    return Turn(
        way=way, size="40KB", connections=4, round=round, rps=rps, p50_ms=1, p99_ms=2, cpu_us=50, load_share=0.3,
        foreign=0,
    )  # fmt: skip


def test_hits_are_held_against_the_bare_app_of_their_round() -> None:
    turns = [hit(BARE, round=1, rps=100), hit(MEMORY, round=1, rps=90), hit(BARE, round=2, rps=50)]
    (bar,) = bars_of([*turns, hit(MEMORY, round=2, rps=40)], who=(MEMORY,))
    assert bar.measured == pytest.approx(0.85)
    assert bar.name == "memory, 40KB, 4 connections, of bare app"


FIGURES = (
    'FIGURES {"seconds": 2.0, "requests": 100, "bytes": 5000, "refused": 0, "broken": 0, "p50_ms": 1.5, '
    '"p99_ms": 2.5, "max_ms": 3.0}'
)


def test_wrks_figures_are_found_among_its_own_report() -> None:
    loaded = read_figures(f"Running 2s test\n{FIGURES}\nRequests/sec: 50", load_cpu_s=1.0)
    assert (loaded.rps, loaded.p99_ms, loaded.load_share) == (50.0, 2.5, 0.5)


def test_wrk_without_figures_is_an_error() -> None:
    with pytest.raises(WrongAnswer, match="unable to connect"):
        read_figures("unable to connect to 127.0.0.1:1 Connection refused", load_cpu_s=0.0)


def test_growth_counts_from_the_warm_mark_on() -> None:
    filling = [float(n) for n in range(10, 110, 10)]
    assert growth([*filling, *([100.0] * 30)]) == pytest.approx(0.0)
    assert growth([*([100.0] * 20), *([110.0] * 20)]) == pytest.approx(0.1)


def test_the_mixture_is_the_same_each_time_and_has_hits_news_and_errors() -> None:
    first, again = (list(itertools.islice(urls(seed=1), 2000)) for _ in range(2))
    assert first == again
    assert 0.3 < len(set(first)) / len(first) < 0.7
    assert any("short.jpg" in url for url in first)
    assert any("nonsense" in url for url in first)


def test_imports_are_read_and_added_up_by_package() -> None:
    output = "import time: self [us] | cumulative | imported package\nimport time:       100 |        100 |   a.b\n"
    output += "import time:        50 |        150 | a\nimport time:        70 |         70 | c\n"
    found = read_imports(output)
    assert found == [("a.b", 100, 100), ("a", 50, 150), ("c", 70, 70)]
    assert families(found) == [("a", 150), ("c", 70)]


def test_the_shipped_configuration_of_nginx_gets_our_ports_and_folders() -> None:
    out = shipped(
        (REPOSITORY / "nginx/imgserve.conf").read_text(), (REPOSITORY / "nginx/upstream.conf").read_text(),
        folder=Path("/x"), port=81, imgserve_port=82,
    )  # fmt: skip
    assert "listen 127.0.0.1:81 default_server;" in out
    assert "server 127.0.0.1:82;" in out
    assert "proxy_cache_path /x/cache " in out
    assert "/var/" not in out


def test_another_configuration_of_nginx_is_refused() -> None:
    with pytest.raises(WrongAnswer, match="nothing like"):
        shipped("server {}", "", folder=Path("/x"), port=81, imgserve_port=82)


def encoded(contender: str, *, cpu_s: float, size: int) -> Slice:
    return Slice(
        contender=contender, format="png", concurrency=1, round=1, seconds=cpu_s, cpu_s=cpu_s, foreign=0.0,
        latencies_ms=(1.0,), answer_bytes=size,
    )  # fmt: skip


def test_defaults_are_held_against_imgproxys_parameters_by_speed_and_bytes() -> None:
    speed, weight = bars_of_defaults([encoded(OURS, cpu_s=1.5, size=100), encoded(DEFAULTS, cpu_s=1.0, size=102)])
    assert (speed.measured, speed.met) == (1.5, True)
    assert (weight.measured, weight.met) == (1.02, True)
