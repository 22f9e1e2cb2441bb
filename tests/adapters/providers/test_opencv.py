from __future__ import annotations

from collections.abc import Iterator

import cv2
import pytest

from imgserve.adapters.providers.opencv import use_one_thread


@pytest.fixture
def _threads() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("_threads")
def test_opencv_has_one_thread_when_it_was_told() -> None:
    assert cv2.getNumThreads() == 2
    use_one_thread()
    assert cv2.getNumThreads() == 1
