"""Reading text by the program tesseract."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from imgserve.errors import ProviderRefused, ProviderUnavailable
from imgserve.ports.models import Capability, Detection, Picture, Progress, Reading, Task

#: Longer side of what is read: a page of A4 at 300 dpi, at which Tesseract's letters have the size it was trained with.
READ_SIDE: Final = 3500

#: Page segmentation: 3 = a page in columns and lines (Tesseract's default), 11 = words anywhere, for photographs.
AS_PAGE: Final = "3"
AS_SPARSE: Final = "11"

#: Of the TSV: its columns, and the levels of rows that are a page and a word.
COLUMNS: Final = 12
PAGE: Final = "1"
WORD: Final = "5"

#: Words below are textures that were taken for letters; photographs have so many of those that more is asked there.
#: Of eight photographs, the four words in one of them stayed and 60 others went.
PAGE_MIN_CONFIDENCE: Final = 0.3
SPARSE_MIN_CONFIDENCE: Final = 0.6
SPARSE_MIN_LETTERS: Final = 3

#: Of `tesseract --version` and `--list-langs`, which take 25 ms each.
ASK_TIMEOUT_S: Final = 5.0

#: How much longer than the program a call may take: making the PNG of 10 megapixels, and reading what was said.
GRACE_S: Final = 10.0

#: How much of what the program says of a failure is told.
MAX_SAID: Final = 200

#: What of the environment the program needs; the rest has keys and passwords.
PASSED_ON: Final = ("PATH", "LANG", "LC_ALL", "HOME", "TMPDIR", "TESSDATA_PREFIX", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word; its box in shares of the picture."""

    text: str
    confidence: float
    #: Page, block, paragraph and line in it.
    line: tuple[str, ...]
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What an installed tesseract says of itself."""

    #: Place, time and size, which an update changes.
    stamp: tuple[str, int, int]
    version: str
    languages: frozenset[str]


class TesseractText:
    """Reads printed, upright text; `languages` are Tesseract's names joined by +, the most likely first."""

    def __init__(
        self,
        *,
        languages: str = "eng",
        program: str | os.PathLike[str] = "tesseract",
        max_pixels: int = 50_000_000,
        timeout_s: float = 60.0,
    ) -> None:
        self._languages = languages
        self._program = str(program)
        self._max_pixels = max_pixels
        self._timeout_s = timeout_s
        self._known: Program | None = None

    @property
    def capability(self) -> Capability:
        program = self._installed()
        return Capability(
            task=Task.TEXT,
            name="tesseract",
            identity=f"tesseract-{program.version if program else 'missing'}-{self._languages}",
            licence="Apache-2.0",
            max_pixels=self._max_pixels,
            timeout_s=self._timeout_s + GRACE_S,
        )

    def trouble(self) -> str | None:
        program = self._installed()
        if program is None:
            return "Reading text needs the program tesseract: apt-get install tesseract-ocr."
        missing = [language for language in self._languages.split("+") if language not in program.languages]
        if not missing:
            return None
        # A language may come without the program changing.
        self._known = None
        packages = " ".join(f"tesseract-ocr-{language.lower().replace('_', '-')}" for language in missing)
        return f"Tesseract lacks the language {', '.join(missing)}: apt-get install {packages}."

    def close(self) -> None:
        """Do nothing: the program ends with each call."""

    def run(self, picture: Picture, argument: str, progress: Progress) -> Reading:
        """Read lines, surest first: as of a page, and where that has none, words anywhere.

        Raises ProviderUnavailable without the program or a language, or when it takes too long, and ProviderRefused
        where the program does not take the picture.
        """
        trouble = self.trouble()
        if trouble:
            raise ProviderUnavailable(trouble)
        file = picture.encoded(format="png", max_side=READ_SIDE)
        deadline_s = time.monotonic() + self._timeout_s
        words = [word for word in words_of(self._said(file, AS_PAGE, deadline_s)) if on_page(word)]
        if not words:
            progress(0.5)
            words = [word for word in words_of(self._said(file, AS_SPARSE, deadline_s)) if in_photograph(word)]
        lines = [line_of(list(line)) for _, line in groupby(words, key=lambda word: word.line)]
        return Reading(detections=tuple(sorted(lines, key=lambda line: -line.confidence)))

    def _said(self, file: bytes, segmentation: str, deadline_s: float) -> str:
        """Give the TSV of one run of the program, which is killed at the deadline."""
        command = [self._program, "stdin", "stdout", "-l", self._languages, "--psm", segmentation, "tsv"]
        try:
            done = _ran(command, timeout_s=max(0.1, deadline_s - time.monotonic()), file=file)
        except subprocess.TimeoutExpired as exc:
            raise ProviderUnavailable(f"Tesseract took longer than {self._timeout_s:g} s.") from exc
        except OSError as exc:
            raise ProviderUnavailable(f"Tesseract cannot be started: {exc.strerror}.") from exc
        if done.returncode < 0:
            raise ProviderUnavailable(f"Tesseract was ended by signal {-done.returncode}.")
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()[-MAX_SAID:]
            raise ProviderRefused(f"Tesseract could not read the picture: {said}")
        return done.stdout.decode(errors="replace")

    def _installed(self) -> Program | None:
        """Give what the program says of itself, asked again only when it has changed; None where there is none."""
        place = shutil.which(self._program)
        if place is None:
            return None
        facts = Path(place).stat()
        stamp = (place, facts.st_mtime_ns, facts.st_size)
        if self._known is None or self._known.stamp != stamp:
            version = self._asked("--version").partition("\n")[0].removeprefix("tesseract").strip()
            languages = frozenset(self._asked("--list-langs").splitlines()[1:])
            self._known = Program(stamp=stamp, version=version, languages=languages)
        return self._known

    def _asked(self, question: str) -> str:
        try:
            return _ran([self._program, question], timeout_s=ASK_TIMEOUT_S).stdout.decode(errors="replace")
        except (OSError, subprocess.TimeoutExpired):
            return ""


def words_of(table: str) -> Iterator[Word]:
    """Read the words of Tesseract's TSV, whose first row is the page."""
    width = height = 1
    for row in table.splitlines()[1:]:
        level, *place, _, left, top, wide, high, confidence, text = row.split("\t", COLUMNS - 1)
        if level == PAGE:
            width, height = max(1, int(wide)), max(1, int(high))
        if level == WORD and text.strip():
            yield Word(
                text=text.strip(),
                confidence=min(1.0, max(0.0, float(confidence) / 100)),
                line=tuple(place),
                left=int(left) / width,
                top=int(top) / height,
                right=(int(left) + int(wide)) / width,
                bottom=(int(top) + int(high)) / height,
            )


def on_page(word: Word) -> bool:
    """Say whether a word of a page is believed."""
    return word.confidence >= PAGE_MIN_CONFIDENCE


def in_photograph(word: Word) -> bool:
    """Say whether a word anywhere is believed."""
    letters = sum(character.isalnum() for character in word.text)
    return word.confidence >= SPARSE_MIN_CONFIDENCE and letters >= SPARSE_MIN_LETTERS


def line_of(words: Sequence[Word]) -> Detection:
    """Join the words of a line; longer ones count more for its confidence."""
    left, top = min(word.left for word in words), min(word.top for word in words)
    letters = sum(len(word.text) for word in words)
    return Detection(
        label="text",
        text=" ".join(word.text for word in words),
        confidence=sum(word.confidence * len(word.text) for word in words) / letters,
        left=left,
        top=top,
        width=max(word.right for word in words) - left,
        height=max(word.bottom for word in words) - top,
    )


def _ran(command: Sequence[str], *, timeout_s: float, file: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    # One thread: more than one makes it slower where several run at a time (its manual says so).
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"OMP_THREAD_LIMIT": "1"}
    # The command is the operator's, and the picture goes through a pipe.
    return subprocess.run(  # noqa: S603
        command, input=file, capture_output=True, timeout=timeout_s, env=environment, check=False
    )
