"""Which widths a picture is offered in, and how a URL says each: by its width, or by a density of a fixed box."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from imgserve.errors import BadOption
from imgserve.ops.catalog import CATALOG
from imgserve.plan.choices import is_choice
from imgserve.plan.model import arrange
from imgserve.plan.url import Grammar, parse_options
from imgserve.spec.kinds import number_text

#: The widths that next/image asks for: its default deviceSizes …
DEVICE_SIZES: Final = (640, 750, 828, 1080, 1200, 1920, 2048, 3840)
#: … and imageSizes.
IMAGE_SIZES: Final = (32, 48, 64, 96, 128, 256, 384)
DEFAULT_WIDTHS: Final = (*IMAGE_SIZES, *DEVICE_SIZES)

#: Of a density: of a box 1000 pixels wide, a tenth of a pixel.
_DENSITY_STEP: Final = Decimal("0.0001")
#: Where no room says how wide a picture is shown: columns of pages and previews of links are no wider.
_USUAL_PX: Final = 1200
#: A share of the window in `sizes`.
_SHARE: Final = re.compile(r"(?:^|\s)(1?[0-9]?[0-9])vw")

_GRAMMAR: Final = Grammar(catalog=CATALOG, allow_security_options=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """A picture in several widths."""

    #: The option that differs from step to step: `w`, or `dpr` of a box whose ratio holds at every width.
    by: str
    #: All other options.
    options: tuple[str, ...]
    #: How wide each is, and what the option is for it; the narrowest first.
    steps: tuple[tuple[int, str], ...]
    #: What the option is for the one that is shown where nobody picks.
    unpicked: str


def steps_of(
    options: Sequence[str], widths: Sequence[int], *, width: int | None, height: int | None, has_presets: bool
) -> Steps:
    """Give the options that make a picture in each of these widths.

    Where width and height are fixed, by arguments or options, steps are densities of that box, so that its ratio holds
    at every width, and offsets and padding grow with it; else they are widths. Raises BadOption.
    """
    if not widths or min(widths) < 1:
        raise _refused("widths", str(list(widths)), "whole numbers of 1 or more")
    ascending = sorted(set(widths))
    room = [f"{name}:{value}" for name, value in (("width", width), ("height", height)) if value]
    boxed = _settings([*options, *room])
    wide, high = (int(boxed.get(name, "0")) for name in ("width", "height"))
    if high and not wide:
        raise _refused("height", str(high), "a width with it: both together are the ratio")
    steps = tuple((px, _density(px, wide) if high else str(px)) for px in ascending)
    unpicked = next((value for px, value in steps if px >= (wide or _USUAL_PX)), steps[-1][1])
    if not high:
        return Steps(by="w", options=tuple(options), steps=steps, unpicked=unpicked)
    # The default, `fit`, leaves the ratio as it is, and plain `fill` does where the source is too small.
    is_free = height is not None and not has_presets and not boxed.keys() & {"resizing_type", "preset"}
    fitting = ["resizing_type:fill-down"] if is_free else []
    return Steps(by="dpr", options=(*options, *room, *fitting), steps=steps, unpicked=unpicked)


def widths_for(sizes: str) -> Sequence[int]:
    """Give the widths that a `sizes` attribute can ask for, as next/image finds them."""
    shares = [int(found) / 100 for found in _SHARE.findall(sizes)]
    least = min(shares, default=0) * DEVICE_SIZES[0]
    return [width for width in DEFAULT_WIDTHS if width >= least]


def width_missing() -> BadOption:
    """Make the error of a picture whose size nothing decides."""
    return _refused("width", "nothing", "a width, or widths, or sizes")


def _settings(options: Sequence[str]) -> dict[str, str]:
    """Give the first argument of each option that there is in the end, by name."""
    fixed = [one for one in options if not is_choice(one, _GRAMMAR.separator)]
    plan = arrange("", parse_options(fixed, _GRAMMAR), CATALOG)
    return {one.spec.name: one.arguments()[0] for one in (*plan.ops, *plan.delivery)}


def _density(px: int, width: int) -> str:
    """Round the very quotient half up, as JavaScript's toFixed does."""
    return number_text(float(Decimal(px / width).quantize(_DENSITY_STEP, ROUND_HALF_UP)))


def _refused(where: str, got: str, expected: str) -> BadOption:
    return BadOption(f"{where}: expected {expected}, got {got}.", where=where, got=got, expected=expected)
