"""POST /v1/sign: the signed URL of a source with options, and on demand what it would do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from imgserve.errors import BadOption, BadRequest
from imgserve.plan.choices import CHOOSE, choice_text, separated
from imgserve.plan.model import Plan, arrange
from imgserve.plan.presets import op_from_value, presets_first
from imgserve.plan.signing import Signer
from imgserve.plan.url import check_choices, parse, parse_options, repair
from imgserve.plan.writing import write
from imgserve.service.explain import explain
from imgserve.service.render import Renderer
from imgserve.spec.kinds import BadArgument
from imgserve.spec.op import Op
from imgserve.web.api import Call, check_fields, demand, text_in, texts_in
from imgserve.web.exchange import Exchange
from imgserve.web.http import negotiate
from imgserve.web.orders import ACCEPTS, Expansion, order_of
from imgserve.web.responses import json_response

FIELDS: Final = ("source", "presets", "options", "choose", "base64", "explain", "accept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A path that is ready to be signed, and what a request for it means."""

    path: str
    #: Its options alone.
    options: str
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOrders:
    """What it takes to write the paths of orders."""

    expansion: Expansion
    signer: Signer
    prefix: str = ""

    def read(self, value: Mapping[str, Any]) -> Written:
        """Write the path of an order in its one spelling; raises what a request for it would be refused for."""
        check_fields(value, FIELDS)
        _check_characters(value)
        for flag in ("base64", "explain"):
            demand(isinstance(value.get(flag, False), bool), flag, value.get(flag), "true or false")
        if "source" not in value:
            raise BadRequest(
                "The order names no picture: source is missing.",
                where="source",
                expected="the source as it stands in URLs, before escaping",
            )
        source, encode = text_in(value, "source"), bool(value.get("base64"))
        path = self._path(value, source, encode=encode)
        plan = parse(path.removeprefix("/"), self.expansion.grammar)
        self.expansion.admit(plan)
        bare = write(Plan(source=source), encode=encode)
        options = path.removesuffix("/" + repair(bare.removeprefix("/"))).removeprefix("/")
        return Written(path=path, options=options, plan=plan)

    def url(self, written: Written) -> str:
        """Give the whole path of the URL, signed."""
        return f"{self.prefix}/{self.signer.sign(written.path)}{written.path}"

    def _path(self, value: Mapping[str, Any], source: str, *, encode: bool) -> str:
        grammar = self.expansion.grammar
        separator, names = grammar.separator, texts_in(value, "presets")
        order_of(presets=names)
        if grammar.only_presets:
            for field in ("options", CHOOSE):
                demand(not value.get(field), field, value.get(field), "presets alone: this server takes nothing else")
            demand(names, "presets", "none", "one or more presets: this server takes nothing else")
            path = f"/{separator.join(names)}{write(Plan(source=source), encode=encode)}"
        else:
            plan = arrange(source, presets_first(self._options(value), names), grammar.catalog)
            choices = _choices(value, separator)
            if choices:
                check_choices(choices, grammar, expand=True)
            path = self._permitted(plan, write(plan, separator=separator, encode=encode, choices=choices))
        return "/" + repair(path.removeprefix("/"))

    def _options(self, value: Mapping[str, Any]) -> list[Op]:
        given = value.get("options", [])
        if isinstance(given, Mapping):
            return [self._option(name, one) for name, one in given.items()]
        texts = texts_in(value, "options")
        order_of(options=texts)
        return parse_options([segment for text in texts for segment in text.split("/")], self.expansion.grammar)

    def _option(self, name: str, value: object) -> Op:
        try:
            return op_from_value(name, value, self.expansion.grammar.catalog)
        except BadArgument as wrong:
            inside = wrong.field if isinstance(value, Mapping) else ""
            where = f"options.{name[:80]}" + (f".{inside}" if inside else "")
            raise BadOption(
                f"Option {where.removeprefix('options.')}: expected {wrong.expected}, {wrong.found}.",
                where=where,
                got=wrong.got[:80],
                expected=wrong.expected,
            ) from None

    def _permitted(self, plan: Plan, path: str) -> str:
        """Spell options as URLs of this server may: operators permit names, not options."""
        separator, segments = self.expansion.grammar.separator, path.split("/")
        names = {one.spec.name: one.spec.names for one in (*plan.ops, *plan.delivery)}
        # The first is empty; what has no argument is the source, which is left alone.
        for at, segment in enumerate(segments[1:], 1):
            name, *rest = segment.split(separator)
            if not rest:
                break
            if name in names:
                segments[at] = separator.join([self.expansion.spelled(*names[name]), *rest])
        return "/".join(segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignEndpoint:
    """Handler of an order to sign."""

    orders: SignOrders
    renderer: Renderer

    async def __call__(self, exchange: Exchange, call: Call) -> None:
        written = self.orders.read(call.value)
        plan = self._negotiated(written.plan, call.value)
        told = {"path": written.path, "url": self.orders.url(written), "options": written.options}
        if call.value.get("explain"):
            async with exchange.connected():
                found = await explain(self.renderer, plan, ends_at=exchange.ends_at)
            await exchange.send(json_response({**told, "explanation": found}))
            return
        await exchange.send(json_response(told))

    def _negotiated(self, plan: Plan, value: Mapping[str, Any]) -> Plan:
        if "accept" not in value:
            return plan
        text = text_in(value, "accept")
        order_of(accept=[text])
        return negotiate(plan, ACCEPTS.get(text, text), self.orders.expansion.negotiation)


def _check_characters(value: Mapping[str, Any]) -> None:
    """Refuse half characters, which JSON can hold and no URL."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadRequest("The body has half a character in it.", where="body", expected="whole characters") from None


def _choices(value: Mapping[str, Any], separator: str) -> list[str]:
    given = value.get(CHOOSE, {})
    demand(isinstance(given, Mapping), CHOOSE, given, "an object of lists of values by the option's name")
    out: list[str] = []
    for name, values in given.items():
        demand(isinstance(values, list) and values, f"{CHOOSE}.{name[:80]}", values, "a list of values, not empty")
        for at, one in enumerate(values):
            demand(isinstance(one, str | int | float), f"{CHOOSE}.{name[:80]}[{at}]", one, "a text or a number")
        out.append(separated(choice_text(name, values), separator))
    return out
