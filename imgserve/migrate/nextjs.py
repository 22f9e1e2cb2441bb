"""Next.js: `/_next/image?url=%2Fphoto.jpg&w=640&q=75`."""

from __future__ import annotations

from typing import Final

from imgserve.migrate.draft import Draft, integer
from imgserve.migrate.urls import Given, absolute, misread

PATH: Final = "/_next/image"

#: Read, or of Vercel (the deployment that asks) and without effect on the picture.
KNOWN: Final = ("url", "w", "q", "dpl")


def translate(given: Given) -> Draft:
    """Translate one URL; raises BadRequest where it lacks url or w."""
    values = dict(given.parameters(plus_is_space=True))
    width = integer(values.get("w", ""))
    if not values.get("url") or width is None or width <= 0:
        raise misread(given.text, f"an image of Next.js is {PATH}?url=<source>&w=<pixels>&q=<quality>")
    draft = Draft(width=width)
    if "q" in values:
        draft.quality(f"q={values['q']}", values["q"])
    # Next.js converts for every browser that accepts better, and names no format in its URLs.
    draft.option("w", "negotiate", 1)
    for name, value in values.items():
        if name not in KNOWN:
            draft.drop(f"{name}={value}", "there is no such parameter")
    draft.source = absolute(values["url"], given, own_site=True)
    return draft
