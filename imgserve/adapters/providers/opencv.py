"""OpenCV as providers use it: on one core, as workers share the machine with renders."""

from __future__ import annotations


def use_one_thread() -> None:
    """Keep OpenCV from starting a thread for every core; for the whole process, and said before it is used."""
    # Here: OpenCV takes 0.4 s and 36 MB, and servers make providers without running them.
    import cv2

    cv2.setNumThreads(1)
