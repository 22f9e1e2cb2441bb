"""Signed URLs that show every preset on a sample picture that suits it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from imgserve.sign import UrlSigner

_CUTOUT: Final = "mug-cutout.png"
_PRODUCT: Final = "mug.jpg"


@dataclass(frozen=True, slots=True)
class Example:
    """One URL to look at."""

    title: str
    picture: str
    presets: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def url(self, signer: UrlSigner) -> str:
        return signer.url(f"local:///{self.picture}", *self.options, presets=self.presets)


#: What cut-out objects stand on.
_PAPER: Final = ("background:f4f3f1",)

#: Presets that want something special: transparency, another shape. The others show the product shot.
_SPECIAL: Final = {
    "shadow": Example("shadow", _CUTOUT, ("shadow",), ("width:600",)),
    "large": Example("large", "landscape.jpg", ("large",)),
}

#: What presets and options do together.
_MORE: Final = (
    Example("bg-removed:shadow:grid", _PRODUCT, ("bg-removed", "shadow", "grid"), _PAPER),
    Example("EXIF orientation obeyed", "portrait.jpg", ("medium",)),
    Example("animation as WebP", "orbit.gif", (), ("width:160", "format:webp")),
    Example("SVG as PNG", "logo.svg", (), ("width:256", "format:png")),
    Example("round, as AVIF", "landscape.jpg", (), ("resize:fill:400:400", "round:max", "format:avif")),
)


def examples(preset_names: Iterable[str]) -> Iterator[Example]:
    """Give one example for each preset, then what they do together."""
    for name in preset_names:
        yield _SPECIAL.get(name) or Example(name, _PRODUCT, (name,))
    yield from _MORE


def lines(preset_names: Sequence[str], signer: UrlSigner) -> Iterator[str]:
    """Print the examples for a terminal: one URL a line, so that it can be clicked."""
    shown = list(examples(preset_names))
    width = max(len(example.title) for example in shown)
    for example in shown:
        yield f"  {example.title:<{width}}  {example.url(signer)}"
    first = next((example for example in shown if example.presets == ("grid",)), shown[0])
    yield ""
    yield "From a terminal:"
    yield f"  curl -o tile.jpg '{first.url(signer)}'"
