"""The folder in which all serving processes count, and the port on which their sums can be asked for."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from imgserve import metrics
from imgserve.cli.address import METRICS_BIND, listen, metrics_address
from imgserve.errors import ConfigError
from imgserve.settings import Settings

#: Memory, where there is such a folder: every request writes, and a disk that is busy would stop it.
_MEMORY: Final = "/dev/shm"  # noqa: S108 - only as the parent of a folder that is private


@contextlib.contextmanager
def counting(settings: Settings) -> Iterator[Callable[[int], None]]:
    """Let the processes that are spawned meanwhile count together; give what must be told of each that ends.

    Raises ConfigError when the port is taken, or when there is no place for the folder.
    """
    with contextlib.ExitStack() as stack:
        if not settings.monitoring.metrics:
            stack.enter_context(_environment(None))
            yield lambda _pid: None
            return
        folder = stack.enter_context(_folder())
        stack.enter_context(_environment(str(folder)))
        if address := metrics_address(settings):
            listener = listen(address, variable=METRICS_BIND)
            namespace = settings.monitoring.prometheus_namespace
            stack.enter_context(metrics.serving_page(listener, namespace, folder))
        yield functools.partial(metrics.forget_process, folder=folder)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    parent = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    try:
        made = Path(tempfile.mkdtemp(prefix="imgserve-metrics-", dir=parent))
    except OSError as error:
        reason = f"no folder to count in ({error}); set TMPDIR to one, or IMGSERVE_METRICS to false"
        raise ConfigError([f"IMGSERVE_METRICS: {reason}"]) from error
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def _environment(folder: str | None) -> Iterator[None]:
    """Set the variable for processes that start from now on: the client reads it when it is imported."""
    before = os.environ.pop(metrics.FOLDER_VARIABLE, None)
    if folder is not None:
        os.environ[metrics.FOLDER_VARIABLE] = folder
    try:
        yield
    finally:
        os.environ.pop(metrics.FOLDER_VARIABLE, None)
        if before is not None:
            os.environ[metrics.FOLDER_VARIABLE] = before
