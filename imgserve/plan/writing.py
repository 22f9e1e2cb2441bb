"""A Plan as the text of a path: one for all spellings of the same options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from imgserve.errors import BadOption
from imgserve.plan.model import Plan
from imgserve.plan.presets import Preset
from imgserve.plan.source_text import print_source
from imgserve.spec.op import Op

#: What has a meaning in URLs, and what browsers escape on its way, so that the signature would not fit any more.
_UNSAFE: Final = re.compile(r"""[/?#"<>\\^`{}|]|%3A|[^\x21-\x7e]""")


def write(plan: Plan, *, separator: str = ":", encode: bool = False, choices: Sequence[str] = ()) -> str:
    """Print a Plan as the path to sign (from its leading "/"), with a plain or (`encode`) base64 source.

    `choices` are `choose` segments: presets to choose from go before the options, which win over what presets set, and
    all others behind. Raises BadOption for an argument and BadRequest for a source that would not arrive as written.
    """
    presets = [one for one in choices if one.split(separator)[1] in Preset.spec.names]
    segments = [
        *presets,
        *(_segment(one, separator) for one in (*plan.ops, *plan.delivery)),
        *(one for one in choices if one not in presets),
    ]
    source = print_source(plan.source, encode=encode)
    return "/" + "/".join([*segments, source])


def _segment(one: Op, separator: str) -> str:
    pieces = one.arguments()
    for piece in pieces:
        if separator in piece or _UNSAFE.search(piece):
            raise BadOption(
                f"Option {one.spec.name}: {piece[:80]!r} cannot stand in a URL.",
                where=one.spec.name,
                got=piece[:80],
                expected=f"a text without {separator} / ? # and what browsers escape, such as spaces",
            )
    return separator.join([one.spec.name, *pieces])
