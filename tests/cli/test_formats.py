from __future__ import annotations

import pytest

from imgserve.cli.formats import Trial, blocked_loaders, try_formats
from imgserve.engine.formats import FORMATS

TRIALS = {trial.name: trial for trial in try_formats()}


@pytest.mark.parametrize("name", FORMATS)
def test_the_format_table_keeps_its_promises(name: str) -> None:
    known = FORMATS[name]
    trial = TRIALS[name]
    assert trial.problems == ()
    assert (trial.read, trial.written) == (known.load, known.save)
    assert trial.written_animated == known.animation_save


def test_a_format_that_is_missing_says_what_to_do() -> None:
    missing: list[Trial] = [trial for trial in TRIALS.values() if not trial.read]
    assert all("convert" in trial.missing for trial in missing)


def test_loaders_of_served_formats_are_not_among_the_blocked() -> None:
    assert not {"jpegload", "pngload", "webpload", "svgload"} & set(blocked_loaders())
    assert "csvload" in blocked_loaders()
