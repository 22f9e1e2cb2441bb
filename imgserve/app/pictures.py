"""The operator's own pictures (watermark, fallback): read once at start, and proved to be pictures."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path

from imgserve.app.sources import http_source, wait_for
from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.pipeline import render
from imgserve.errors import ConfigError, ImgserveError
from imgserve.plan.sources import AllowedSources
from imgserve.settings import Settings

#: Time for decoding one picture at start.
_DECODE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one picture is; at most one is given."""

    #: Name of the setting without its last word: IMGSERVE_WATERMARK.
    setting: str
    data: str = ""
    path: str = ""
    url: str = ""


def load_picture(place: Place, settings: Settings, *, intent: Intent, config: EngineConfig) -> bytes | None:
    """Read a picture and make sure that it decodes; None when there is none. Raises ConfigError."""
    if place.data:
        name, data = "DATA", _decoded(place)
    elif place.path:
        name, data = "PATH", _read(place)
    elif place.url:
        name, data = "URL", _fetched(place, settings)
    else:
        return None
    small = Intent(width=1, height=1, format="png", limits=intent.limits)
    try:
        render(data, intent=small, config=config, deadline=Deadline(_DECODE_S))
    except ImgserveError as wrong:
        raise ConfigError([f"{place.setting}_{name}: it cannot be used as a picture ({wrong.message})"]) from wrong
    return data


def _decoded(place: Place) -> bytes:
    try:
        return base64.b64decode("".join(place.data.split()), validate=True)
    except binascii.Error as wrong:
        raise ConfigError([f"{place.setting}_DATA: expected base64 ({wrong})"]) from wrong


def _read(place: Place) -> bytes:
    try:
        return Path(place.path).read_bytes()
    except OSError as wrong:
        raise ConfigError([f"{place.setting}_PATH: {place.path} cannot be read ({wrong.strerror})"]) from wrong


def _fetched(place: Place, settings: Settings) -> bytes:
    async def fetch() -> bytes:
        # A source of its own, in a loop of its own: this one is thrown away, and any URL of the operator's is allowed.
        source = http_source(settings, AllowedSources())
        try:
            blob = await source.fetch(place.url, max_bytes=settings.limits.max_src_file_size, headers={})
        finally:
            await source.close()
        return blob.data

    try:
        return wait_for(fetch())
    except ImgserveError as wrong:
        raise ConfigError([f"{place.setting}_URL: {wrong.message}"]) from wrong
