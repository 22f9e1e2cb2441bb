"""What a warm order says, and the variants that it asks for: every list multiplied with every other."""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final
from urllib.parse import quote

from imgserve.engine.formats import FORMATS
from imgserve.errors import BadRequest, Expired
from imgserve.ops.delivery import Expires
from imgserve.plan.model import Plan
from imgserve.plan.needs import needs_of
from imgserve.plan.source_text import PLAIN, PLAIN_SAFE
from imgserve.plan.url import Grammar, parse, repair
from imgserve.service.warm import Wanted
from imgserve.web.api import demand, texts_in
from imgserve.web.http import Negotiation, is_raw, negotiate

#: Bounds of one order.
MAX_SOURCES: Final = 100
MAX_VARIANTS: Final = 200
#: Beyond any picture that is served.
_MAX_WIDTH: Final = 100_000
_MAX_DPR: Final = 8.0

#: Words for what browsers send. Those that read AVIF read WebP as well, and say so.
ACCEPTS: Final[Mapping[str, str | None]] = {"avif": "image/avif,image/webp", "webp": "image/webp", "none": None}

FIELDS: Final = ("sources", "presets", "options", "widths", "formats", "accept", "dpr")
_FORMATS: Final = tuple(name for name, known in FORMATS.items() if known.save)

#: What stands in an option as it is sent: all that needs no escape in a path, and ends none.
_OPTION: Final = re.compile(r"[!$-.0-9:;=@A-Z_a-z~]+")
_HEADER: Final = re.compile(r"[\x20-\x7e]{1,500}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Variants that are wanted of each source; an empty list leaves its part of the URL out."""

    #: As they stand in a URL, several joined by its separator.
    presets: tuple[str, ...] = ()
    #: As they stand in a URL, several joined by slashes.
    options: tuple[str, ...] = ()
    widths: tuple[int, ...] = ()
    formats: tuple[str, ...] = ()
    #: Headers as clients send them, None = none.
    accept: tuple[str | None, ...] = ()
    dpr: tuple[float, ...] = ()

    def first(self) -> Order:
        """Give the order of the first variant alone."""
        return Order(
            presets=self.presets[:1],
            options=self.options[:1],
            widths=self.widths[:1],
            formats=self.formats[:1],
            accept=self.accept[:1],
            dpr=self.dpr[:1],
        )


def read_order(value: Mapping[str, Any]) -> tuple[list[str], Order]:
    """Read the sources and the order of a JSON object whose fields are known; raises BadRequest."""
    sources = texts_in(value, "sources")
    if not 0 < len(sources) <= MAX_SOURCES:
        raise BadRequest(
            f"The order names {len(sources)} sources.",
            where="sources",
            got=str(len(sources)),
            expected=f"1 to {MAX_SOURCES} sources",
        )
    order = order_of(
        presets=texts_in(value, "presets"),
        options=texts_in(value, "options"),
        widths=_numbers_in(value, "widths"),
        formats=texts_in(value, "formats"),
        accept=texts_in(value, "accept"),
        dpr=_numbers_in(value, "dpr"),
    )
    return sources, order


def order_of(
    *,
    presets: Sequence[str] = (),
    options: Sequence[str] = (),
    widths: Sequence[float] = (),
    formats: Sequence[str] = (),
    accept: Sequence[str] = (),
    dpr: Sequence[float] = (),
) -> Order:
    """Check each part of an order by itself; raises BadRequest."""
    for at, text in enumerate(presets):
        demand(_OPTION.fullmatch(text) is not None, f"presets[{at}]", text, "names of presets as in a URL")
    for at, text in enumerate(options):
        demand(all(map(_OPTION.fullmatch, text.split("/"))), f"options[{at}]", text, "options as in a URL")
    for at, width in enumerate(widths):
        whole = width == int(width) and 0 < width <= _MAX_WIDTH
        demand(whole, f"widths[{at}]", width, f"a whole number from 1 to {_MAX_WIDTH}")
    for at, name in enumerate(formats):
        demand(name in _FORMATS, f"formats[{at}]", name, f"one of {', '.join(_FORMATS)}")
    for at, text in enumerate(accept):
        known = text in ACCEPTS or ("/" in text and _HEADER.fullmatch(text) is not None)
        demand(known, f"accept[{at}]", text, f"one of {', '.join(ACCEPTS)}, or the text of an Accept header")
    for at, factor in enumerate(dpr):
        demand(0 < factor <= _MAX_DPR, f"dpr[{at}]", factor, f"a number above 0, at most {_MAX_DPR:g}")
    order = Order(
        presets=tuple(presets),
        options=tuple(options),
        widths=tuple(map(int, widths)),
        formats=tuple(formats),
        accept=tuple(ACCEPTS.get(text, text) for text in accept),
        dpr=tuple(dpr),
    )
    # Before anything is multiplied out.
    count = math.prod(len(part) or 1 for part in (presets, options, widths, dpr)) * (len(formats) + len(accept) or 1)
    demand(count <= MAX_VARIANTS, "body", f"{count} variants", f"at most {MAX_VARIANTS} variants of a source")
    return order


def _numbers_in(value: Mapping[str, Any], field: str) -> list[float]:
    given = value.get(field, [])
    numbers = given if isinstance(given, list) else [given]
    for at, one in enumerate(numbers):
        # Not `isfinite`, which integers beyond floats break; NaN is in no range.
        holds = isinstance(one, int | float) and not isinstance(one, bool) and abs(one) <= sys.float_info.max
        demand(holds, f"{field}[{at}]", one, "a number, without quotes" if isinstance(one, str) else "a number")
    return list(numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """What it takes to make plans of an order, as an image URL with its path and `Accept` would."""

    grammar: Grammar
    negotiation: Negotiation
    #: Raises SourceForbidden or BadRequest for plans whose source is not to be fetched.
    admit: Callable[[Plan], None]
    key: Callable[[Plan], str]
    clock: Callable[[], float] = time.time

    def wanted(self, source: str, order: Order, *, models: bool = False) -> list[Wanted]:
        """Give the variants of a source, each result once; raises what a request for one of them would.

        Those that need `models` are refused, unless it is their work that is ordered.
        """
        found: dict[str, Wanted] = {}
        for path in self._paths(source, order):
            plan = parse(path.removeprefix("/"), self.grammar)
            self.admit(plan)
            self._check_use(plan, models=models)
            for accept in order.accept or (None,):
                negotiated = negotiate(plan, accept, self.negotiation)
                one = Wanted(path=path, plan=negotiated, accept=accept if negotiated != plan else None)
                found.setdefault(self.key(negotiated), one)
        return list(found.values())

    def _paths(self, source: str, order: Order) -> Iterable[str]:
        colon, escaped = self.grammar.separator, quote(source, safe=PLAIN_SAFE)
        if self.grammar.only_presets:
            demand(not (order.options or order.widths or order.dpr), "body", "options", "presets and formats only")
        for at, text in enumerate(order.options):
            # It would be read as the source.
            bare = next((one for one in text.split("/") if colon not in one), "")
            demand(not bare, f"options[{at}]", bare, f"options of the form name{colon}argument")
        # Where the format is left to `Accept`, the URL has none.
        formats = (*order.formats, *([""] if order.accept or not order.formats else []))
        parts = (order.presets, order.options, order.widths, order.dpr)
        for preset, options, width, dpr, name in product(*(part or ("",) for part in parts), formats):
            if self.grammar.only_presets:
                path = "/".join([str(preset), PLAIN, escaped + (f"@{name}" if name else "")])
            else:
                given = {
                    self.spelled("pr", "preset"): preset,
                    "": options,
                    self.spelled("w", "width"): width,
                    # What says nothing is not in a URL for plain screens.
                    "dpr": f"{dpr:g}" if dpr and dpr != 1 else "",
                    self.spelled("f", "format", "ext"): name,
                }
                segments = [f"{option}{colon}{value}" if option else value for option, value in given.items() if value]
                path = "/".join([*map(str, segments), PLAIN, escaped])
            yield "/" + repair(path)

    def spelled(self, *names: str) -> str:
        """Choose the name of an option that URLs may have; operators permit names, not options."""
        permitted = self.grammar.allowed_options
        return next((name for name in names if permitted is None or name in permitted), names[0])

    def _check_use(self, plan: Plan, *, models: bool) -> None:
        """Refuse what has no result to keep."""
        if is_raw(plan):
            raise BadRequest("raw: there is nothing to make of a source that is passed on.", where="raw")
        if not models and needs_of(plan):
            raise BadRequest("AI steps are not warmed: have them made by POST /v1/jobs.", where="options")
        expires = plan.get(Expires)
        if expires is not None and 0 < expires.timestamp < int(self.clock()):
            raise Expired("These URLs have expired.", where="expires", got=str(expires.timestamp))
