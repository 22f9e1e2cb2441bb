"""Describe options and settings for people (Markdown) and for programs (JSON Schema), from their declarations alone."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from imgserve.spec.kinds import Choice, Schema
from imgserve.spec.op import Catalog, Op, OpSpec, Pages
from imgserve.spec.params import Param
from imgserve.spec.shapes import Many, Pairs

#: Heading, variable and declaration of one setting.
SettingRow = tuple[str, str, Param]

_PAGES: Final = {
    Pages.EACH: "",
    Pages.WHOLE: "In an animation it acts on all frames at once.",
    Pages.SKIP: "In an animation it is left out.",
}

#: The bound on texts protects the server; a reader who is looking for a value learns nothing from it.
_TEXT_BOUND: Final = re.compile(r" of at most [0-9]+ characters without control characters")

_KEEPS: Final = "keeps what was set before"


def options_markdown(catalog: Catalog) -> str:
    """Describe every option: imgproxy's, those that change limits, and this server's own apart."""
    specs = [cls.spec for cls in catalog.ops]
    chapters = (
        ("Options of imgproxy", [spec for spec in specs if not spec.own and not spec.guarded]),
        (
            "Options that change limits (refused unless `IMGSERVE_ALLOW_SECURITY_OPTIONS` is true)",
            [spec for spec in specs if spec.guarded],
        ),
        ("Options of our own", [spec for spec in specs if spec.own and not spec.guarded]),
    )
    parts = [_index(specs)]
    for heading, members in chapters:
        if members:
            parts += [f"## {heading}", *(_option(spec) for spec in members)]
    return "\n\n".join(parts) + "\n"


def _index(specs: Sequence[OpSpec]) -> str:
    rows = (
        (
            f"[`{spec.name}`](#{_anchor(spec.name)})",
            _codes(spec.aliases),
            f"`{spec.example}`",
            _first_sentence(spec.doc),
        )
        for spec in specs
    )
    return _table(("option", "also", "example", "what it does"), rows)


def _option(spec: OpSpec) -> str:
    also = f" Also called {_codes(spec.aliases)}." if spec.aliases else ""
    parts = [f"### {spec.name}", _paragraphs(spec.doc), f"Example: `{spec.example}`.{also}"]
    if _PAGES[spec.pages]:
        parts.append(_PAGES[spec.pages])
    rows = ((f"`{name}`", param.doc, _value(param), _option_default(param)) for name, param in spec.params.items())
    parts.append(_table(("argument", "what it is", "value", "default"), rows))
    return "\n\n".join(parts)


def _value(param: Param) -> str:
    return _TEXT_BOUND.sub("", param.kind.expected)


def _option_default(param: Param) -> str:
    if param.required:
        return "must be given"
    if param.default is None:
        return _KEEPS
    return _code(":".join(param.kind.format(param.kind.check(param.default)))) or "empty"


def settings_markdown(rows: Iterable[SettingRow]) -> str:
    """Describe every setting, one table a group; rows of a group come one after the other."""
    parts: list[str] = []
    for heading, members in groupby(rows, key=lambda row: row[0]):
        cells = (
            (f"`{variable}`", param.doc, _value(param), _code(setting_text(param))) for _, variable, param in members
        )
        parts += [f"## {heading}", _table(("variable", "what it is", "value", "default"), cells)]
    return "\n\n".join(parts) + "\n"


def setting_text(param: Param) -> str:
    """Print a setting's default as the environment has it; pairs are written name=value there."""
    pieces = param.kind.format(param.kind.check(param.default))
    if isinstance(param.kind, Pairs):
        return ",".join(f"{name}={value}" for name, value in zip(pieces[::2], pieces[1::2], strict=True))
    return ":".join(pieces)


def option_schema(cls: type[Op]) -> Schema:
    """Give the JSON Schema of an option as a table by field name."""
    params = cls.spec.params
    return {
        "description": _paragraphs(cls.spec.doc),
        "type": "object",
        "properties": {name: {**param.kind.schema(), "description": param.doc} for name, param in params.items()},
        "required": [name for name, param in params.items() if param.required],
        "additionalProperties": False,
    }


def presets_schema(catalog: Catalog) -> Schema:
    """Give the JSON Schema of a preset file: `doc`, and options as tables or as the value of their first field."""
    properties: dict[str, Schema] = {"doc": {"type": "string", "minLength": 1, "description": "what the preset is for"}}
    for name, cls in catalog.by_name.items():
        table = option_schema(cls)
        first, *others = cls.spec.params.values()
        short = [first.kind.schema()] if not any(param.required for param in others) else []
        properties[name] = {"anyOf": [table, *short]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "imgserve preset",
        "type": "object",
        "properties": properties,
        "required": ["doc"],
        "minProperties": 2,
        "additionalProperties": False,
    }


def options_schema(catalog: Catalog, *, title: str = "imgserve options") -> Schema:
    """Give the JSON Schema of options by their long names, in the catalog's order, for programs that write URLs or show
    controls.

    What JSON Schema has no word for stands under `x-` keys: of an option its other names, stage and example; of an
    argument how it becomes pieces of a URL (`x-argument`).
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "properties": {cls.spec.name: _described(cls) for cls in catalog.ops},
        "additionalProperties": False,
    }


def _described(cls: type[Op]) -> Schema:
    spec, table = cls.spec, option_schema(cls)
    first, *others = spec.params.values()
    short = [first.kind.schema()] if not any(param.required for param in others) else []
    for name, param in spec.params.items():
        table["properties"][name]["x-argument"] = _argument(param)
    return {
        "description": table.pop("description"),
        "anyOf": [table, *short],
        "x-aliases": list(spec.aliases),
        "x-stage": spec.stage.value,
        "x-example": spec.example,
        "x-own": spec.own,
        "x-guarded": spec.guarded,
    }


def _argument(param: Param) -> Schema:
    """Tell the kind, the pieces of the default (none = it keeps what was set before), and how spellings are unified."""
    kind = param.kind
    out: Schema = {"kind": kind.word, "span": kind.span}
    if not param.required and param.default is not None:
        # Of a list, no default has no items, which it would not take as a value.
        out["default"] = kind.format(kind.check(param.default)) if param.default != () else []
    if isinstance(kind, Many | Pairs):
        item = kind.item if isinstance(kind, Many) else kind.values
        out["item"] = item.word
    words = kind.names if isinstance(kind, Pairs) else kind.item if isinstance(kind, Many) else kind
    if isinstance(words, Choice):
        out["spellings"] = {spelling: word for spelling, word in words.choices.items() if spelling != word}
    return out


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines: Iterator[Sequence[str]] = iter((head, ["---"] * len(head), *rows))
    return "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(map(_code, texts))


def _paragraphs(doc: str) -> str:
    """Undo the line breaks inside paragraphs of a docstring."""
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", inspect.cleandoc(doc)))


def _first_sentence(doc: str) -> str:
    text = _paragraphs(doc).partition("\n")[0]
    return re.split(r"(?<=[.;]) ", text, maxsplit=1)[0].rstrip(".;")


def _anchor(name: str) -> str:
    return name.lower()
