"""Text by the real program, and by small ones in its place for what it does seldom."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imgserve.adapters.providers.tesseract_text import TesseractText, line_of, words_of
from imgserve.errors import ProviderRefused, ProviderUnavailable
from imgserve.ports.models import Detection, Task
from tests.adapters.providers.pictures import ArrayPicture, flat

HEADER = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext"

needs_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")


def lettered(values: NDArray[Any], text: str, *, x: int, y: int, size: float = 1.5) -> None:
    """Write text whose first letter stands on (x, y)."""
    cv2.putText(values, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, (20, 20, 20), 3, cv2.LINE_AA)


def read(values: NDArray[Any], provider: TesseractText | None = None) -> tuple[Detection, ...]:
    return (provider or TesseractText()).run(ArrayPicture(values), "", lambda share: None).detections


def stand_in(path: Path, script: str) -> Path:
    """Write a program that knows English, and reads as `script` does."""
    path.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        "  --version) echo 'tesseract 9.9';;\n"
        "  --list-langs) printf 'List (2):\\neng\\nosd\\n';;\n"
        f"  *) {script};;\n"
        "esac\n"
    )
    path.chmod(0o755)
    return path


@needs_tesseract
def test_lines_are_read_where_they_are() -> None:
    values = flat(1200, 400, (255, 255, 255))
    lettered(values, "Seven brown foxes", x=100, y=120)
    lettered(values, "read the morning paper", x=300, y=320)
    lines = {line.text: line for line in read(values)}
    assert set(lines) == {"Seven brown foxes", "read the morning paper"}
    first = lines["Seven brown foxes"]
    assert (first.label, first.confidence > 0.8) == ("text", True)
    (wide, high), _ = cv2.getTextSize("Seven brown foxes", cv2.FONT_HERSHEY_SIMPLEX, 1.5, 3)
    assert first.left == pytest.approx(100 / 1200, abs=0.01)
    assert first.width == pytest.approx(wide / 1200, abs=0.02)
    assert first.top == pytest.approx((120 - high) / 400, abs=0.03)
    assert 0.29 < first.top + first.height < 0.36
    assert lines["read the morning paper"].left == pytest.approx(300 / 1200, abs=0.01)


@needs_tesseract
def test_boxes_are_shares_of_pictures_that_were_read_smaller() -> None:
    values = flat(7000, 400, (255, 255, 255))
    lettered(values, "Harbour", x=5000, y=250, size=4)
    (line,) = read(values)
    assert line.text == "Harbour"
    assert line.left == pytest.approx(5000 / 7000, abs=0.01)
    assert line.top < 250 / 400 < line.top + line.height + 0.03


@needs_tesseract
def test_a_word_in_a_photograph_is_read_and_textures_are_not() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (10, 15, 3), np.uint8)
    values = cv2.resize(noise, (900, 600), interpolation=cv2.INTER_CUBIC) // 6 + 60
    cv2.putText(values, "STATION", (300, 330), cv2.FONT_HERSHEY_SIMPLEX, 2, (255, 255, 255), 8, cv2.LINE_AA)
    assert [line.text for line in read(values)] == ["STATION"]


def test_where_there_is_no_page_only_sure_words_of_some_letters_are_told(tmp_path: Path) -> None:
    rows = [HEADER, "1\t1\t0\t0\t0\t0\t0\t0\t100\t100\t-1\t"]
    for number, (text, confidence) in enumerate((("TOP", 66), ("ge", 90), ("'~!|", 90), ("leaf", 40))):
        rows.append(f"5\t1\t{number}\t1\t1\t1\t20\t10\t40\t20\t{confidence}\t{text}")
    (tmp_path / "table").write_text("\n".join(rows) + "\n")
    program = stand_in(tmp_path / "program", f'test "$6" != 11 || cat {tmp_path}/table')
    told: list[float] = []
    reading = TesseractText(program=program).run(ArrayPicture(flat(100, 100)), "", told.append)
    assert [(line.text, line.confidence) for line in reading.detections] == [("TOP", 0.66)]
    assert told == [0.5]


@needs_tesseract
@pytest.mark.parametrize(("width", "height"), [(1, 1), (300, 200), (5, 400)])
def test_nothing_is_read_where_nothing_is_written(width: int, height: int) -> None:
    assert read(flat(width, height, (200, 200, 200))) == ()


@needs_tesseract
def test_a_missing_language_is_told_with_its_package() -> None:
    provider = TesseractText(languages="eng+xx_yy")
    assert provider.trouble() == "Tesseract lacks the language xx_yy: apt-get install tesseract-ocr-xx-yy."
    with pytest.raises(ProviderUnavailable, match="lacks the language"):
        read(flat(9, 9), provider)


def test_a_missing_program_is_told_with_its_package(tmp_path: Path) -> None:
    provider = TesseractText(program=tmp_path / "no")
    assert provider.trouble() == "Reading text needs the program tesseract: apt-get install tesseract-ocr."
    assert provider.capability.identity == "tesseract-missing-eng"
    with pytest.raises(ProviderUnavailable, match="needs the program"):
        read(flat(9, 9), provider)


def test_a_program_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    program = stand_in(tmp_path / "slow", f"echo $$ > {tmp_path}/pid; exec sleep 60")
    provider = TesseractText(program=program, timeout_s=0.5)
    start_s = time.monotonic()
    with pytest.raises(ProviderUnavailable, match=r"longer than 0\.5 s"):
        read(flat(9, 9), provider)
    assert time.monotonic() - start_s < 10
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_picture_that_the_program_does_not_take_is_refused(tmp_path: Path) -> None:
    program = stand_in(tmp_path / "picky", "echo 'Image too large' >&2; exit 1")
    with pytest.raises(ProviderRefused, match="could not read the picture: Image too large"):
        read(flat(9, 9), TesseractText(program=program))


def test_a_program_that_was_killed_is_unavailable(tmp_path: Path) -> None:
    program = stand_in(tmp_path / "dies", "kill -9 $$")
    with pytest.raises(ProviderUnavailable, match="ended by signal 9"):
        read(flat(9, 9), TesseractText(program=program))


def test_the_program_has_one_thread_and_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGSERVE_KEY", "secret")
    program = stand_in(tmp_path / "tells", f"env > {tmp_path}/seen; cat > {tmp_path}/stdin")
    assert read(flat(9, 9), TesseractText(program=program)) == ()
    seen = (tmp_path / "seen").read_text()
    assert "OMP_THREAD_LIMIT=1\n" in seen
    assert "secret" not in seen
    assert (tmp_path / "stdin").read_bytes().startswith(b"\x89PNG")


def test_the_identity_changes_with_version_and_languages(tmp_path: Path) -> None:
    program = stand_in(tmp_path / "program", "true")
    provider = TesseractText(program=program)
    assert provider.capability.identity == "tesseract-9.9-eng"
    assert provider.capability.task is Task.TEXT
    assert TesseractText(program=program, languages="eng+osd").capability.identity == "tesseract-9.9-eng+osd"
    program.write_text(program.read_text().replace("9.9", "10.0"))
    assert provider.capability.identity == "tesseract-10.0-eng"


def test_a_language_that_is_installed_later_is_found(tmp_path: Path) -> None:
    program = stand_in(tmp_path / "program", "true")
    program.write_text(program.read_text().replace("printf 'List (2):\\neng\\nosd\\n'", f"cat {tmp_path}/languages"))
    (tmp_path / "languages").write_text("List (1):\nosd\n")
    provider = TesseractText(program=program)
    assert "lacks the language eng" in str(provider.trouble())
    (tmp_path / "languages").write_text("List (2):\neng\nosd\n")
    assert provider.trouble() is None


def test_words_of_a_line_are_joined_and_longer_ones_count_more() -> None:
    table = (
        f"{HEADER}\n"
        "1\t1\t0\t0\t0\t0\t0\t0\t200\t100\t-1\t\n"
        "4\t1\t1\t1\t1\t0\t20\t10\t100\t20\t-1\t\n"
        "5\t1\t1\t1\t1\t1\t20\t10\t40\t20\t90.0\tSay\n"
        '5\t1\t1\t1\t1\t2\t70\t12\t50\t20\t50.0\t"h\n'
        "5\t1\t1\t1\t1\t3\t130\t12\t5\t20\t95.0\t \n"
    )
    words = list(words_of(table))
    line = line_of(words)
    assert line.text == 'Say "h'
    assert line.confidence == pytest.approx((0.9 * 3 + 0.5 * 2) / 5)
    assert (line.left, line.top, line.width, line.height) == pytest.approx((0.1, 0.1, 0.5, 0.22))
