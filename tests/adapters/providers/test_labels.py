"""Names of classes: from files and built in."""

from __future__ import annotations

from pathlib import Path

from imgserve.adapters.providers.labels import COCO, Labels


def labels(path: Path, content: bytes) -> Labels:
    path.write_bytes(content)
    return Labels(path)


def test_coco_has_its_eighty_names_in_order() -> None:
    assert len(set(COCO)) == 80
    assert [COCO[number] for number in (0, 15, 56, 79)] == ["person", "cat", "chair", "toothbrush"]


def test_names_are_lines_without_blanks_and_mark(tmp_path: Path) -> None:
    assert labels(tmp_path / "n", b"\xef\xbb\xbfcat \r\n\r\ndog\n\n").names(4) == ("cat", "class_1", "dog", "class_3")


def test_more_names_than_classes_do_no_harm() -> None:
    assert Labels(built_in=COCO).names(2) == ("person", "bicycle")


def test_other_names_have_another_fingerprint(tmp_path: Path) -> None:
    first, second = labels(tmp_path / "a", b"cat\n"), labels(tmp_path / "b", b"dog\n")
    assert first.fingerprint != second.fingerprint
    assert first.fingerprint == labels(tmp_path / "c", b"cat").fingerprint


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    bad = labels(tmp_path / "names.txt", b"\xff\xfe\x00")
    assert bad.trouble() == "The file of class names names.txt is not text in UTF-8."
    assert bad.fingerprint == "missing"
