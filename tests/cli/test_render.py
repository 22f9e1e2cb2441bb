from __future__ import annotations

from pathlib import Path

import pytest
import pyvips

from tests.cli.conftest import Invoke


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, shade in (("one.png", 40), ("two.png", 200)):
        picture = (pyvips.Image.black(120, 80, bands=3) + shade).cast("uchar").copy(interpretation="srgb")
        picture.pngsave(str(folder / name))
    return folder


def size(path: Path) -> tuple[int, int]:
    image = pyvips.Image.new_from_file(str(path))
    return image.width, image.height


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_file_gets_a_result_with_the_extension_of_its_format(invoke: Invoke, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    files = [str(path) for path in sorted(photos.iterdir())]
    result = invoke("render", *files, "--option", "width:60", "--format", "webp", "-o", str(out))
    assert result.exit_code == 0, result.stderr
    assert names(out) == ["one.webp", "two.webp"]
    assert size(out / "one.webp") == (60, 40)


def test_it_needs_no_key(invoke: Invoke, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = invoke(
        "render", str(photos / "one.png"), "--preset", "thumbnail", "-o", str(out), IMGSERVE_KEY="", IMGSERVE_SALT=""
    )
    assert result.exit_code == 0, result.stderr
    assert size(out / "one.png") == (150, 150)


def test_presets_compose_and_options_win_over_them(invoke: Invoke, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("--preset", "medium", "--preset", "grid", "--option", "height:10", "-o", str(out))
    assert invoke("render", str(photos / "one.png"), *arguments).exit_code == 0
    assert size(out / "one.png") == (600, 10)


def test_what_fails_is_told_and_the_rest_is_made(invoke: Invoke, photos: Path, tmp_path: Path) -> None:
    (photos / "text.jpg").write_text("no picture")
    out = tmp_path / "out"
    files = [str(path) for path in sorted(photos.iterdir())]
    result = invoke("render", *files, "--preset", "grid", "-o", str(out))
    assert result.exit_code == 1
    assert names(out) == ["one.png", "two.png"]
    assert f"failed: {photos / 'text.jpg'}: The source is not an image" in result.stderr


def test_a_source_is_never_overwritten(invoke: Invoke, photos: Path) -> None:
    before = (photos / "one.png").read_bytes()
    result = invoke("render", str(photos / "one.png"), "--option", "width:5", "-o", str(photos))
    assert result.exit_code == 1
    assert (photos / "one.png").read_bytes() == before
    assert names(photos) == ["one.png", "two.png"]


def test_two_sources_of_one_name_do_not_overwrite_each_other(invoke: Invoke, photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "one.png").write_bytes((photos / "two.png").read_bytes())
    out = tmp_path / "out"
    result = invoke("render", str(photos / "one.png"), str(other / "one.png"), "--option", "w:5", "-o", str(out))
    assert result.exit_code == 1
    assert pyvips.Image.new_from_file(str(out / "one.png"))(0, 0)[0] == 40


def test_a_result_replaces_an_older_one(invoke: Invoke, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for width in (5, 7):
        assert invoke("render", str(photos / "one.png"), "--option", f"w:{width}", "-o", str(out)).exit_code == 0
    assert size(out / "one.png")[0] == 7


@pytest.mark.parametrize("arguments", [("--option", "width:wide"), ("--preset", "nowhere")])
def test_wrong_options_stop_it_before_any_file(
    invoke: Invoke, photos: Path, tmp_path: Path, arguments: tuple[str, str]
) -> None:
    out = tmp_path / "out"
    result = invoke("render", str(photos / "one.png"), *arguments, "-o", str(out))
    assert result.exit_code == 1
    assert "expected" in result.stderr or "no preset" in result.stderr
    assert not out.exists()
