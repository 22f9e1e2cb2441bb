"""Which formats really work here: each is encoded and decoded, small but for real."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, Final

import pyvips

from imgserve.engine.deadline import Deadline
from imgserve.engine.formats import FORMATS, Format
from imgserve.engine.intent import EngineConfig, Intent, Limits
from imgserve.engine.load import LOADERS
from imgserve.engine.pipeline import Rendered, render
from imgserve.errors import ImgserveError

#: Large enough for AVIF, which is not written below 16 pixels.
_SIDE: Final = 24
_FRAMES: Final = 2
_TRIAL_S: Final = 20.0

_SVG: Final = (
    f'<svg xmlns="http://www.w3.org/2000/svg" width="{_SIDE}" height="{_SIDE}">'
    f'<rect width="{_SIDE}" height="{_SIDE}" fill="#258089"/></svg>'
).encode()

#: Formats that imgproxy's names know and this server does not do, and what a user can do about it.
_MISSING: Final = {
    "heic": "not read or written (no free decoder in libvips' wheel); convert such sources to AVIF or JPEG",
    "jxl": "not read or written (not in libvips' wheel); convert such sources to AVIF or WebP",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What was found for one format; `problems` are promises of the format table that do not hold."""

    name: str
    read: bool = False
    written: bool = False
    read_animated: bool = False
    written_animated: bool = False
    problems: tuple[str, ...] = ()
    missing: str = ""


def try_formats() -> tuple[Trial, ...]:
    """Try every format that the table of the engine has."""
    return tuple(_try(known) for known in FORMATS.values())


def _try(known: Format) -> Trial:
    trial = Trial(name=known.name, missing=_MISSING.get(known.name, "") if not known.load else "")
    encoded = _SVG if known.vector else None
    if known.save:
        made = _render(_SVG, known.name)
        if isinstance(made, str):
            trial = replace(trial, problems=(*trial.problems, f"cannot be written ({made})"))
        else:
            encoded, trial = made.data, replace(trial, written=made.format == known.name)
    if known.load and encoded is not None:
        back = _render(encoded, "png")
        if isinstance(back, str):
            trial = replace(trial, problems=(*trial.problems, f"cannot be read ({back})"))
        else:
            trial = replace(trial, read=(back.width, back.height) == (_SIDE, _SIDE))
    return _try_animated(known, trial) if known.animation_save else trial


def _try_animated(known: Format, trial: Trial) -> Trial:
    made = _render(_animation(), known.name)
    if isinstance(made, str):
        return replace(trial, problems=(*trial.problems, f"animations cannot be written ({made})"))
    back = _render(made.data, "webp")
    if isinstance(back, str):
        return replace(trial, written_animated=True, problems=(*trial.problems, f"animations cannot be read ({back})"))
    return replace(trial, written_animated=True, read_animated=True)


def _render(source: bytes, name: str) -> Rendered | str:
    intent = Intent(format=name, limits=Limits(max_animation_frames=_FRAMES))
    try:
        return render(source, intent=intent, config=EngineConfig(), deadline=Deadline(_TRIAL_S))
    except ImgserveError as wrong:
        return str(wrong.__cause__ or wrong.message).strip().replace("\n", "; ")


def _animation() -> bytes:
    frames = [pyvips.Image.black(_SIDE, _SIDE, bands=3) + shade for shade in (40, 200)]
    strip = pyvips.Image.arrayjoin(frames, across=1).cast("uchar").copy(interpretation="srgb")
    strip.set_type(pyvips.GValue.gint_type, "page-height", _SIDE)
    strip.set_type(pyvips.GValue.array_int_type, "delay", [100] * _FRAMES)
    data: bytes = strip.gifsave_buffer()
    return data


def library_versions() -> dict[str, str]:
    """Give the versions of the libraries that make pictures."""
    libvips = ".".join(str(pyvips.version(part)) for part in range(3))
    return {"libvips": libvips, "pyvips": version("pyvips"), "Pillow": version("pillow")}


def blocked_loaders() -> list[str]:
    """Give the loaders that libvips has but that are kept from what clients send."""
    blocked: list[str] = []

    def visit(kind: Any, _a: Any, _b: Any) -> Any:
        if pyvips.type_name(kind) not in LOADERS:
            blocked.append(pyvips.nickname_find(kind).removesuffix("_base"))
        return pyvips.ffi.NULL  # go on

    pyvips.type_map(pyvips.type_from_name("VipsForeignLoad"), visit)
    return sorted(blocked)
