"""docs/migrating.md has every name that a dialect knows, in the section of that dialect."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from imgserve.migrate import cloudflare, cloudinary, imagor, ipx, nextjs, thumbor, weserv

PAGE = (Path(__file__).parent.parent.parent / "docs" / "migrating.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("From thumbor", [*thumbor.FILTERS, *thumbor.MISSING]),
        ("From imagor", set(imagor.FILTERS) - set(thumbor.FILTERS) | set(imagor.MISSING) - set(thumbor.MISSING)),
        ("From IPX and Nuxt Image", ipx.NAMES),
        (
            "From Cloudflare Images",
            [*cloudflare.RULES, *cloudflare.MISSING, *cloudflare.TOGETHER, *cloudflare.ALIASES, *cloudflare.FITS],
        ),
        (
            "From Cloudinary",
            [*cloudinary.RULES, *cloudinary.MISSING, *cloudinary.TOGETHER, *cloudinary.MODES, *cloudinary.EFFECTS],
        ),
        ("From weserv", [*weserv.RULES, *weserv.MISSING, *weserv.TOGETHER]),
        ("From next/image", {*nextjs.KNOWN} - {"dpl"}),
    ],
)
def test_every_name_of_a_dialect_is_on_the_page(heading: str, names: Iterable[str]) -> None:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    shown = set(re.findall(r"`([^`]+)`", section))
    assert sorted(set(names) - shown) == []
