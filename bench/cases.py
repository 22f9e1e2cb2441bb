"""The jobs measured: one photograph to 600x400 in four formats, with imgproxy's saver parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

WIDTH: Final = 600
HEIGHT: Final = 400


@dataclass(frozen=True, slots=True)
class Case:
    """One output format; `saver` holds the arguments of libvips' saver."""

    format: str
    suffix: str
    #: None where the format has no quality.
    quality: int | None
    saver: Mapping[str, object]

    @property
    def content_type(self) -> str:
        return f"image/{self.format}"


def _case(format: str, suffix: str, *, quality: int | None, **saver: object) -> Case:
    arguments = saver if quality is None else {"Q": quality, **saver}
    return Case(format, suffix, quality, MappingProxyType({**arguments, "keep": "none"}))


#: Qualities and efforts are imgproxy's defaults (AVIF speed 8 is libvips' effort 1).
CASES: Final = (
    _case("jpeg", ".jpg", quality=80, optimize_coding=True),
    _case("webp", ".webp", quality=79, effort=4),
    _case("avif", ".avif", quality=63, effort=1),
    _case("png", ".png", quality=None, filter="all", compression=6),
)


#: The same parameters as settings of this server, whose defaults are others (docs/performance.md, Encoder settings).
IMGPROXYS_SETTINGS: Final = MappingProxyType(
    {
        "IMGSERVE_PNG_FILTER": "all",
        "IMGSERVE_PNG_COMPRESSION": "6",
        "IMGSERVE_WEBP_EFFORT": "4",
        "IMGSERVE_AVIF_SPEED": "8",
    }
)


def cases_named(names: str) -> tuple[Case, ...]:
    """Choose cases by a list such as `jpeg,webp`; raises ValueError for a name that is none."""
    by_name = {case.format: case for case in CASES}
    unknown = [name for name in names.split(",") if name not in by_name]
    if unknown:
        raise ValueError(f"got {unknown[0]!r}, expected a list of {', '.join(by_name)}")
    return tuple(by_name[name] for name in names.split(","))
