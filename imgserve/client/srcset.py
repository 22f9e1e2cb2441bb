"""Responsive pictures: one source in many widths, as the attributes that HTML has for it.

    image_props(signer, "https://shop.example.com/mug.jpg", width=600, height=400, alt="A mug")

The client for JavaScript (clients/js) makes the same text of the same arguments: tests/vectors/srcset.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from imgserve.client.widths import DEFAULT_WIDTHS, Steps, steps_of, width_missing, widths_for
from imgserve.sign import UrlSigner

#: `token`: one signature, widths in the query. `urls`: a signature for each width.
Mode = Literal["token", "urls"]
#: One value, or any whole number between two.
Quality = int | range | tuple[int, int]


def token(
    signer: UrlSigner,
    source: str,
    *options: str,
    width: int | None = None,
    height: int | None = None,
    widths: Sequence[int] = DEFAULT_WIDTHS,
    qualities: Sequence[Quality] = (),
    presets: Sequence[str] = (),
    base64: bool = False,
) -> str:
    """Give a signed URL that stands for a picture in all `widths`: pages pick one in the query, and nothing else.

    Without a query it is as wide as its room, or else 1200 pixels, or the next of `widths`. It is the `src` of a
    next/image with the loader of the npm package. With `qualities`, the default first, pages pick that as well. Raises
    BadOption.
    """
    steps = steps_of(options, widths, width=width, height=height, has_presets=bool(presets))
    return _token(signer, source, steps, qualities=qualities, presets=presets, base64=base64)


def srcset(
    signer: UrlSigner,
    source: str,
    *options: str,
    widths: Sequence[int],
    width: int | None = None,
    height: int | None = None,
    quality: int | None = None,
    presets: Sequence[str] = (),
    mode: Mode = "token",
    base64: bool = False,
) -> str:
    """Give the `srcset` of a picture in these widths, narrowest first.

    `options`, `presets` and `base64` are as in `UrlSigner.url`. A width and a height, of the arguments or the options,
    are a ratio that all pictures have. Raises BadOption.
    """
    steps = steps_of(options, widths, width=width, height=height, has_presets=bool(presets))
    urls = _urls(signer, source, steps, quality=quality, presets=presets, mode=mode, base64=base64)
    return _listed(urls, [f"{px}w" for px, _ in steps.steps])


def image_props(
    signer: UrlSigner,
    source: str,
    *options: str,
    width: int | None = None,
    height: int | None = None,
    widths: Sequence[int] | None = None,
    sizes: str | None = None,
    quality: int | None = None,
    presets: Sequence[str] = (),
    mode: Mode = "token",
    base64: bool = False,
    **attributes: str | int,
) -> dict[str, str | int]:
    """Give the attributes of an `<img>`: src, srcset, and sizes, width and height where they are known.

    `width` and `height` are the room on the page in CSS pixels; the picture is cropped to their ratio. With `widths` or
    `sizes` the browser chooses by width, else between `width` and twice that for dense screens. What is not known here
    (`alt`, `loading` …) is handed through. Raises BadOption.
    """
    is_fluid = widths is not None or sizes is not None
    if is_fluid:
        offered = widths_for(sizes or "") if widths is None else widths
    elif width is not None:
        offered = [width, 2 * width]
    else:
        raise width_missing()
    if sizes is None and is_fluid and width is not None:
        sizes = f"(max-width: {width}px) 100vw, {width}px"
    steps = steps_of(options, offered, width=width, height=height, has_presets=bool(presets))
    urls = _urls(signer, source, steps, quality=quality, presets=presets, mode=mode, base64=base64)
    marks = [f"{px}w" if is_fluid else f"{at}x" for at, (px, _) in enumerate(steps.steps, start=1)]
    known = {"sizes": sizes, "width": width, "height": height}
    return {
        **attributes,
        "src": urls[-1],
        "srcset": _listed(urls, marks),
        **{name: value for name, value in known.items() if value is not None},
    }


def _urls(
    signer: UrlSigner,
    source: str,
    steps: Steps,
    *,
    quality: int | None,
    presets: Sequence[str],
    mode: Mode,
    base64: bool,
) -> list[str]:
    """Give the URL of each step."""
    decided = [] if quality is None else [f"quality:{quality}"]
    if mode == "urls":
        each = [(*steps.options, *decided, f"{steps.by}:{value}") for _, value in steps.steps]
        return [signer.url(source, *options, presets=presets, base64=base64) for options in each]
    signed = _token(signer, source, steps, *decided, presets=presets, base64=base64)
    return [f"{signed}?{steps.by}={value}" for _, value in steps.steps]


def _token(
    signer: UrlSigner,
    source: str,
    steps: Steps,
    *options: str,
    qualities: Sequence[Quality] = (),
    presets: Sequence[str],
    base64: bool,
) -> str:
    # The first value is the default, and a URL whose query was lost should not show 32 pixels.
    values = [steps.unpicked, *(value for _, value in steps.steps if value != steps.unpicked)]
    choose: dict[str, Sequence[str | Quality]] = {steps.by: values}
    if qualities:
        choose["q"] = qualities
    return signer.url(source, *steps.options, *options, presets=presets, base64=base64, choose=choose)


def _listed(urls: Sequence[str], marks: Sequence[str]) -> str:
    return ", ".join(f"{url} {mark}" for url, mark in zip(urls, marks, strict=True))
