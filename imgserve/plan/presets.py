"""Presets: named lists of options, from TOML files and imgproxy's preset strings, validated before they are used."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imgserve.errors import ConfigError, ImgserveError
from imgserve.spec.kinds import BadArgument, MissingArgument
from imgserve.spec.op import Catalog, Op, Stage, op
from imgserve.spec.params import texts
from imgserve.spec.shapes import GravityKind, Pairs


@op("preset", "pr", stage=Stage.META, example="preset:grid")
class Preset(Op):
    """Use one or more presets, in the order given; options after it override what they set."""

    names: tuple[str, ...] = texts(noun="preset names", doc="names of presets")


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetEntry:
    """One preset: its options in order, and what it is for."""

    name: str
    ops: tuple[Op, ...]
    doc: str = ""


Presets = Mapping[str, PresetEntry]
ParseSegments = Callable[[Sequence[str]], list[Op]]


def expand_presets(ops: Iterable[Op], presets: Presets, *, inside: tuple[str, ...] = ()) -> list[Op]:
    """Replace every Preset by the options it names, in place; a preset that uses itself is skipped there.

    Raises KeyError with the name of a preset that does not exist.
    """
    out: list[Op] = []
    for one in ops:
        if not isinstance(one, Preset):
            out.append(one)
            continue
        for name in one.names:
            if name not in inside:
                out += expand_presets(presets[name].ops, presets, inside=(*inside, name))
    return out


def presets_used(ops: Iterable[Op], presets: Presets) -> tuple[str, ...]:
    """Name every preset that these options use, those inside of presets too, each once; all of them exist."""
    found: dict[str, None] = {}
    waiting = list(ops)
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, Preset):
            new = [name for name in one.names if name not in found]
            found |= dict.fromkeys(new)
            waiting += [inner for name in new for inner in presets[name].ops]
    return tuple(found)


def presets_first(ops: Iterable[Op], names: Sequence[str]) -> list[Op]:
    """Put all presets into one option, first: a URL holds an option once, and options win over what presets set."""
    given = list(ops)
    every = [*names, *(name for one in given if isinstance(one, Preset) for name in one.names)]
    rest = [one for one in given if not isinstance(one, Preset)]
    return [Preset(names=tuple(every)), *rest] if every else rest


def load_toml(folder: Path, catalog: Catalog) -> dict[str, PresetEntry]:
    """Read every *.toml of a folder as one preset each, named after its file; raises ConfigError with all mistakes."""
    out: dict[str, PresetEntry] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            out[path.stem] = _entry(path.stem, tomllib.loads(path.read_text("utf-8")), catalog)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, ConfigError) as wrong:
            found = wrong.problems if isinstance(wrong, ConfigError) else [str(wrong)]
            problems += [f"preset file {path.name}: {problem}" for problem in found]
    if problems:
        raise ConfigError(problems)
    return out


def _entry(name: str, table: dict[str, object], catalog: Catalog) -> PresetEntry:
    doc = table.pop("doc", None)
    problems = [] if isinstance(doc, str) and doc else ['a line doc = "what it is for" is required']
    ops: list[Op] = []
    for option, value in table.items():
        try:
            ops.append(op_from_value(option, value, catalog))
        except BadArgument as wrong:
            where = f"{option}.{wrong.field}" if wrong.field else option
            problems.append(f"{where}: expected {wrong.expected}, {wrong.found}")
    if not ops and not problems:
        problems.append("it has no options")
    if problems:
        raise ConfigError(problems)
    return PresetEntry(name=name, ops=tuple(ops), doc=str(doc))


def op_from_value(option: str, value: object, catalog: Catalog) -> Op:
    """Make an option of a TOML or JSON value: a table by field name, or the one value of its first field.

    Raises BadArgument.
    """
    if option not in catalog.by_name:
        raise BadArgument(option, "the name of an option")
    cls = catalog.by_name[option]
    fields = list(cls.spec.params)
    first = cls.spec.params[fields[0]].kind
    is_value = isinstance(first, GravityKind | Pairs) and isinstance(value, dict) and fields[0] not in value
    table = value if isinstance(value, dict) and not is_value else {fields[0]: value}
    for field in table:
        if field not in cls.spec.params:
            raise BadArgument(str(field), f"one of the fields {', '.join(fields)}")
    for field, param in cls.spec.params.items():
        if param.required and field not in table:
            raise MissingArgument(param.kind.expected, field=field)
    return cls(**table)


def parse_strings(lines: Iterable[str], parse: ParseSegments) -> dict[str, PresetEntry]:
    """Read imgproxy's `name=option:arg/option:arg` lines; blank lines and # comments are passed over.

    `parse` turns option segments into options. Raises ConfigError with all mistakes.
    """
    out: dict[str, PresetEntry] = {}
    problems: list[str] = []
    for line in map(str.strip, lines):
        if not line or line.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not name or not value or "=" in value:
            problems.append(f"preset {line!r} is not of the form name=option:argument/option:argument")
            continue
        try:
            out[name] = PresetEntry(name=name, ops=tuple(parse(value.strip("/").split("/"))))
        except ImgserveError as wrong:
            problems.append(f"preset {name}: {wrong.message}")
    if problems:
        raise ConfigError(problems)
    return out


def check_names(presets: Presets) -> None:
    """Make sure that presets used by presets exist; raises ConfigError with all that do not."""
    missing = [
        f"preset {entry.name} uses the preset {name}, which does not exist"
        for entry in presets.values()
        for one in entry.ops
        if isinstance(one, Preset)
        for name in one.names
        if name not in presets
    ]
    if missing:
        raise ConfigError(missing)
