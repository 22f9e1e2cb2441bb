"""How log lines are written, and where; light enough for the process that only watches the serving ones."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any, Final, TextIO

from imgserve.errors import ConfigError
from imgserve.settings import Settings

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


class Structured(logging.Formatter):
    """`key=value` pairs; texts with spaces or quotes are quoted as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{name}={_quoted(value)}" for name, value in _facts(self, record).items())


class Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_facts(self, record), default=str)


class Pretty(logging.Formatter):
    """For people at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        facts: Mapping[str, Any] | None = getattr(record, "facts", None)
        head = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname:<7}"
        if facts is None:
            return f"{head} {super().format(record)}"
        line = (
            f"{head} {facts['status']} {facts['method']} {facts['path']} {facts['ms']}ms {facts['bytes']}B "
            f"{facts.get('cache', '-')} {facts['client_ip']} {facts['request_id']}"
        )
        return line + (f" {facts['error']}: {facts.get('detail', '')}" if "error" in facts else "")


def _facts(formatter: logging.Formatter, record: logging.LogRecord) -> dict[str, Any]:
    out: dict[str, Any] = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
        "level": record.levelname.lower(),
        "message": record.getMessage(),
        **getattr(record, "facts", {}),
    }
    if record.exc_info:
        out["stack"] = formatter.formatException(record.exc_info)
    return out


def _quoted(value: object) -> str:
    text = str(value)
    return text if text and text.isprintable() and not set(text) & {" ", '"', "="} else json.dumps(text)


_FORMATTERS: Final[dict[str, type[logging.Formatter]]] = {
    "pretty": Pretty,
    "structured": Structured,
    "json": Json,
    "gcp": Json,
}


def configure_logging(settings: Settings) -> None:
    """Set the process' logging up; for entry points only, a library leaves it alone."""
    handler = logging.StreamHandler()
    handler.setFormatter(_FORMATTERS[settings.server.log_format]())
    # No line says which thread, process or task wrote it: looking that up would cost a fifth of the line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=_LEVELS[settings.server.log_level], handlers=[handler], force=True)
    # libvips tells of every thread pool at INFO.
    logging.getLogger("pyvips").setLevel(logging.WARNING)


def log_handler() -> logging.StreamHandler[TextIO] | None:
    """Give the handler that `configure_logging` made, None where somebody else set logging up."""
    handlers = logging.getLogger().handlers
    found = handlers[0] if len(handlers) == 1 else None
    if isinstance(found, logging.StreamHandler) and isinstance(found.formatter, tuple(_FORMATTERS.values())):
        return found
    return None


def log_problems(wrong: ConfigError) -> None:
    """Write every mistake of the configuration."""
    for problem in wrong.problems:
        logging.getLogger("imgserve").error("%s", problem)
