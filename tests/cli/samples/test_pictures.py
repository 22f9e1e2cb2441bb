from __future__ import annotations

from pathlib import Path

import pytest
import pyvips

from imgserve.cli.samples.pictures import PICTURES, copy_logo_svg, draw_missing

DRAW = dict(PICTURES)


def draw(name: str, folder: Path) -> pyvips.Image:
    DRAW[name](folder / name)
    return pyvips.Image.new_from_file(str(folder / name))


@pytest.mark.parametrize(
    ("name", "size", "bands"),
    [
        ("mug.jpg", (2400, 1800), 3),
        ("mug-cutout.png", (2400, 1800), 4),
        ("landscape.jpg", (3000, 2000), 3),
        ("logo.png", (512, 512), 4),
        ("logo.svg", (512, 512), 4),
    ],
)
def test_pictures_have_their_size_and_transparency(
    tmp_path: Path, name: str, size: tuple[int, int], bands: int
) -> None:
    picture = draw(name, tmp_path)
    assert (picture.width, picture.height) == size
    assert picture.bands == bands
    assert picture.bandmean().deviate() > 10


def test_the_portrait_lies_on_its_side_and_says_so(tmp_path: Path) -> None:
    picture = draw("portrait.jpg", tmp_path)
    assert (picture.width, picture.height) == (1600, 1200)
    assert picture.get("orientation") == 6
    sky, ground = (picture.autorot().crop(500, top, 200, 50).avg() for top in (0, 1550))
    assert sky > ground


@pytest.mark.parametrize("name", ["orbit.gif", "orbit.webp"])
def test_the_animations_move(tmp_path: Path, name: str) -> None:
    picture = draw(name, tmp_path)
    assert picture.get("n-pages") == 24
    assert picture.get("delay") == [50] * 24


def test_only_what_is_missing_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgserve.cli.samples.pictures.PICTURES", (("a.svg", copy_logo_svg), ("b.svg", copy_logo_svg)))
    (tmp_path / "a.svg").write_text("mine")
    assert list(draw_missing(tmp_path)) == [tmp_path / "b.svg"]
    assert (tmp_path / "a.svg").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "b.svg"]
