"""The comparison of encoder settings: what is measured, and how it is told."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
import pyvips

from bench.cases import CASES, Case
from bench.encoders import CANDIDATES, Figure, Picture, formats_named, graphics, measure, photographs, report, summary
from bench.workshop import REPOSITORY


def scene(width: int = 420, height: int = 300) -> pyvips.Image:
    bands = [pyvips.Image.perlin(width, height, cell_size=24, seed=seed) * 100 + 128 for seed in (1, 2, 3)]
    return bands[0].bandjoin(bands[1]).bandjoin(bands[2]).cast("uchar").copy(interpretation="srgb").copy_memory()


def figure(setting: str, **given: float) -> Figure:
    values = {"cpu_ms": 1.0, "cpu": 1.0, "whole": 1.0, "size": 1.0, "psnr": 30.0, "ssim": 0.9, "apart": 40.0, **given}
    return Figure(setting=setting, **values)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.format)
def test_the_first_setting_is_imgproxys(case: Case) -> None:
    image = scene()
    first = CANDIDATES[case.format][0]
    assert len(image.write_to_buffer(case.suffix, **first.saver)) == len(
        image.write_to_buffer(case.suffix, **case.saver)
    )


@pytest.mark.parametrize("name", sorted(CANDIDATES))
def test_every_setting_is_measured_against_the_first(name: str) -> None:
    figures = measure(Picture("scene", scene(), 0.01), name, repetitions=1)
    assert [one.setting for one in figures] == [setting.name for setting in CANDIDATES[name]]
    assert (figures[0].cpu, figures[0].whole, figures[0].size) == (1, 1, 1)
    assert all(one.cpu > 0 and one.size > 0 and one.ssim > 0.5 for one in figures)


def test_lossless_pictures_lose_nothing_with_any_setting() -> None:
    figures = measure(Picture("scene", scene(), 0.0), "png", repetitions=1)
    assert all(math.isinf(one.psnr) and one.ssim == pytest.approx(1) for one in figures)


def test_files_are_photographs_or_graphics_by_their_format(tmp_path: Path) -> None:
    scene().write_to_file(str(tmp_path / "photo.jpg"))
    scene().write_to_file(str(tmp_path / "screen.png"))
    scene(40, 30).write_to_file(str(tmp_path / "tiny.jpg"))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "broken.webp").write_bytes(scene().webpsave_buffer()[:500])
    files = sorted(tmp_path.iterdir())
    found = list(photographs(files, widths=(350, 400, 800), repetitions=1))
    assert [one.name for one in found] == ["photo.jpg 350", "photo.jpg 400"]
    assert [one.image.width for one in found] == [350, 400]
    assert [one.name for one in graphics(files)][-1] == "screen.png"


def test_the_summary_takes_means_over_pictures() -> None:
    text = summary(
        {
            "a": [figure("x"), figure("y", cpu=0.5, whole=0.5, size=1.1, psnr=29.0)],
            "b": [figure("x"), figure("y", cpu=0.125, whole=0.5, size=1.0, psnr=30.5)],
        }
    )
    row = [cell.strip() for cell in text.splitlines()[-1].split("|")[1:-1]]
    assert row[:6] == ["y", "0.25", "2.00", "1.049", "1.00-1.10", "-0.25"]


def test_formats_are_chosen_by_name() -> None:
    assert formats_named("webp,png") == ("webp", "png")
    with pytest.raises(ValueError, match=r"got 'bmp', expected a list of jpeg, webp, avif, png"):
        formats_named("webp,bmp")


def test_a_report_has_a_table_for_each_format(tmp_path: Path) -> None:
    scene().write_to_file(str(tmp_path / "photo.jpg"))
    text = report([tmp_path], formats=("webp",), widths=(300,), repetitions=1, details=True)
    assert text.startswith("## webp, 1 photographs")
    assert "| photo.jpg 300 | effort 2 " in text


def test_the_command_line_says_what_is_wrong() -> None:
    command = (sys.executable, "-m", "bench", "encoders", "--formats", "bmp")
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "got 'bmp', expected a list of jpeg, webp, avif, png" in done.stderr
