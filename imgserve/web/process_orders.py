"""What POST /v1/process is asked for: a picture or a source, and the outputs to make of it."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from imgserve.errors import BadRequest
from imgserve.service.warm import Wanted
from imgserve.web.api import check_fields, demand, text_in, texts_in
from imgserve.web.orders import Expansion, Order, order_of
from imgserve.web.process_body import IMAGE, ProcessBody

FIELDS: Final = ("source", "presets", "outputs", "output", "format", "timeout")
#: D4: the pipeline of product photos, and what a shop shows of it. Behind the presets of the order.
STANDARD: Final[Mapping[str, tuple[str, ...]]] = {
    "processed": (),
    "grid": ("shadow", "grid"),
    "detail": ("shadow", "detail"),
}
DEFAULT_PRESETS: Final = ("bg-removed",)
MAX_OUTPUTS: Final = 10
#: How outputs are given back.
BASE64: Final = "base64"
URLS: Final = "urls"

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is made of the source, as in a URL."""

    presets: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOrder:
    """An order that was understood, but for its presets and options."""

    #: One of the two.
    image: bytes | None = field(default=None, repr=False)
    source: str = ""
    outputs: Mapping[str, Shape]
    #: "" = left to the server.
    output: str = ""
    format: str = ""
    #: How long models are waited for, None = as long as can be.
    timeout_s: float | None = None


def read_process_order(body: ProcessBody) -> ProcessOrder:
    """Read an order; raises BadRequest."""
    value, image = body.fields, body.image
    check_fields(value, (IMAGE, *FIELDS))
    source = text_in(value, "source") if value.get("source") is not None else ""
    both = image is not None and source
    if both or not (image is not None or source):
        raise BadRequest(
            f"The order has {'an image and a source' if both else 'no image and no source'}: send one of them.",
            where=IMAGE,
            expected="image (a file of a form, or base64) or source (a URL)",
        )
    output = value.get("output") or ""
    demand(output in ("", BASE64, URLS), "output", output, f"{BASE64} or {URLS}")
    kind = text_in(value, "format") if value.get("format") is not None else ""
    order_of(formats=[kind] if kind else [])
    return ProcessOrder(
        image=image,
        source=source,
        outputs=_outputs(value, tuple(texts_in(value, "presets")) if "presets" in value else DEFAULT_PRESETS),
        output=output,
        format=kind,
        timeout_s=_timeout_s(value),
    )


def wanted(order: ProcessOrder, source: str, expansion: Expansion) -> dict[str, Wanted]:
    """Give each output's path and plan, by name; raises what a request for it would."""
    separator = expansion.grammar.separator
    # One plan an output, so that none needs a key: it would be an error where nobody does an AI step.
    keyless = dataclasses.replace(expansion, key=lambda _plan: "")
    out: dict[str, Wanted] = {}
    for name, shape in order.outputs.items():
        joined = Order(
            presets=_joined(shape.presets, separator),
            options=_joined(shape.options, "/"),
            formats=(order.format,) if order.format else (),
        )
        [out[name]] = keyless.wanted(source, joined, models=True)
    return out


def _outputs(value: Mapping[str, Any], presets: tuple[str, ...]) -> Mapping[str, Shape]:
    order_of(presets=presets)
    given = value.get("outputs")
    if isinstance(given, dict):
        demand(0 < len(given) <= MAX_OUTPUTS, "outputs", f"{len(given)} outputs", f"1 to {MAX_OUTPUTS} outputs")
        return {name: _shape(name, one, presets) for name, one in given.items()}
    names = texts_in(value, "outputs") if given is not None else list(STANDARD)
    demand(names, "outputs", given, f"names among {', '.join(STANDARD)}, or an object of outputs")
    for at, name in enumerate(names):
        demand(name in STANDARD, f"outputs[{at}]", name, f"one of {', '.join(STANDARD)}, or an object of outputs")
    return {name: Shape(presets=(*presets, *STANDARD[name])) for name in names}


def _shape(name: str, given: object, presets: tuple[str, ...]) -> Shape:
    demand(_NAME.fullmatch(name), "outputs", name, "names of 1 to 40 letters, digits, _ and -")
    where = f"outputs.{name}"
    if not isinstance(given, dict):
        raise BadRequest(
            f"{where}: expected an object.",
            where=where,
            got=str(given)[:80],
            expected='{"presets": […], "options": […]}',
        )
    check_fields(given, ("presets", "options"))
    own = tuple(texts_in(given, "presets")) if "presets" in given else presets
    options = tuple(texts_in(given, "options"))
    order_of(presets=own, options=options)
    return Shape(presets=own, options=options)


def _timeout_s(value: Mapping[str, Any]) -> float | None:
    given = value.get("timeout")
    if given is None:
        return None
    # Not `isfinite`, which integers beyond floats break; NaN is in no range.
    holds = isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given <= sys.float_info.max
    demand(holds, "timeout", given, "seconds, a number from 0")
    return float(given)


def _joined(texts: Sequence[str], separator: str) -> tuple[str, ...]:
    return (separator.join(texts),) if texts else ()
