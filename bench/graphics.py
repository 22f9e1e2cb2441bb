"""Pictures that are no photographs, drawn by the benchmark: what PNG is mostly used for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyvips

_WINDOW: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="800" font-family="sans-serif" font-size="15">
<rect width="1200" height="800" fill="#f6f7f9"/><rect width="1200" height="56" fill="#24292f"/>
<rect y="56" width="220" height="744" fill="#ffffff"/><line x1="220" y1="56" x2="220" y2="800" stroke="#d0d7de"/>
{rows}</svg>"""
_LOGO: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="600" height="600">
<circle cx="300" cy="300" r="260" fill="#e4572e"/>
<circle cx="300" cy="300" r="190" fill="none" stroke="#fff" stroke-width="28"/>
<path d="M180 380 L300 150 L420 380 Z" fill="#17bebb"/><path d="M240 420 h120 v60 h-120 z" fill="#2e282a"/></svg>"""
_GRADIENT: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="630"><defs>
<linearGradient id="a" x2="1" y2="1">
<stop stop-color="#0f2027"/><stop offset="1" stop-color="#2c5364"/></linearGradient>
<radialGradient id="b">
<stop stop-color="#ffb347"/><stop offset="1" stop-color="#ffb347" stop-opacity="0"/></radialGradient>
</defs><rect width="1200" height="630" fill="url(#a)"/><circle cx="900" cy="300" r="400" fill="url(#b)"/>
<rect x="80" y="420" width="480" height="100" rx="20" fill="#fff"/></svg>"""
_CHART: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="1000" height="600"><rect width="1000" height="600" fill="#fff"/>
{grid}{lines}</svg>"""
_INKS: Final = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728")
#: A text of a page; its words are shifted from row to row so that no two rows of pixels repeat by design.
_WORDS: Final = ("The", "quick", "server", "resizes", "a", "photograph", "while", "nobody", "waits", "for", "it", "now")


def _window() -> str:
    rows = "".join(
        f'<rect x="244" y="{80 + 34 * n}" width="932" height="28" rx="4" fill="{"#fff" if n % 2 else "#eef1f4"}"/>'
        f'<text x="256" y="{99 + 34 * n}" fill="#1f2328">{" ".join((*_WORDS[n % 7 :], *_WORDS[: n % 7]))}</text>'
        f'<text x="24" y="{99 + 34 * n}" fill="#0969da">{_WORDS[n % len(_WORDS)]} {n * 37}</text>'
        for n in range(20)
    )
    return _WINDOW.format(rows=rows)


def _chart() -> str:
    grid = "".join(f'<line x1="40" x2="980" y1="{y}" y2="{y}" stroke="#ddd"/>' for y in range(40, 600, 56))
    lines = "".join(
        f'<polyline fill="none" stroke="{ink}" stroke-width="3" points="'
        + " ".join(f"{40 + 10 * x},{300 + 60 * series + (x * (7 + series) * 31) % 97}" for x in range(95))
        + '"/>'
        for series, ink in enumerate(_INKS)
    )
    return _CHART.format(grid=grid, lines=lines)


def draw_graphics() -> Mapping[str, pyvips.Image]:
    """Draw each; the window and the chart are opaque, the logo is transparent around its disc."""

    def drawn(svg: str) -> pyvips.Image:
        return pyvips.Image.svgload_buffer(svg.encode()).copy_memory()

    return {
        "drawn window": drawn(_window()).flatten(),
        "drawn chart": drawn(_chart()).flatten(),
        "drawn gradient": drawn(_GRADIENT).flatten(),
        "drawn logo": drawn(_LOGO),
    }
