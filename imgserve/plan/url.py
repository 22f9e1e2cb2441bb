"""The URL grammar: the text of a path becomes a Plan. Its other way is plan.writing.

The grammar is imgproxy's (options, plain and base64 sources, extensions, presets); mistakes are 400 with where, what
was got and what is expected. Nothing here knows a single option: the catalog is an argument.
"""

from __future__ import annotations

import difflib
import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Generic, TypeVar

from imgserve.errors import BadOption, BadRequest, NotFound, OptionForbidden
from imgserve.plan.choices import CHOOSE, Choices, is_choice, read_choices
from imgserve.plan.model import Plan, arrange
from imgserve.plan.presets import Preset, Presets, expand_presets, presets_used
from imgserve.plan.source_text import PLAIN, parse_source
from imgserve.spec.kinds import BadArgument
from imgserve.spec.op import Catalog, Op

#: First segments of imgproxy's retired grammar, which must not be read as part of a base64 source.
_BASIC_GRAMMAR: Final = ("fit", "fill", "fill-down", "force", "auto")

_BROKEN_SCHEME: Final = re.compile(r"^([^\s/]+):/([^/])")
#: Schemes of sources that are on no other machine.
_NO_HOST: Final = ("local", "upload")


K = TypeVar("K")
V = TypeVar("V")


class Lately(Generic[K, V]):
    """What options that were read lately mean, by their text: of a page's pictures, most share theirs."""

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._known: OrderedDict[K, V] = OrderedDict()

    def get(self, given: K) -> V | None:
        return self._known.get(given)

    def put(self, given: K, meaning: V) -> None:
        self._known[given] = meaning
        if len(self._known) > self._limit:
            self._known.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """The operator's side of the grammar."""

    catalog: Catalog
    presets: Presets = field(default_factory=dict)
    separator: str = ":"
    base_url: str = ""
    #: What sources begin with that are the server's own: neither of the next two changes them.
    own: str = ""
    #: Pattern (anchored at the start) and its replacement, applied to every source in turn.
    url_replacements: tuple[tuple[re.Pattern[str], str], ...] = ()
    base64_includes_filename: bool = False
    only_presets: bool = False
    #: Option names as a URL may spell them, None = all.
    allowed_options: frozenset[str] | None = None
    allow_security_options: bool = False
    max_options: int = 100
    max_path_length: int = 16_384
    #: Not arguments: a copy with other permissions must not know what this one was allowed to read.
    recipes: Lately[tuple[str, str], Plan] = field(init=False, default_factory=Lately, compare=False, repr=False)
    choices: Lately[str, Choices] = field(init=False, default_factory=Lately, compare=False, repr=False)


def split_signature(raw_path: bytes, *, prefix: str = "") -> tuple[str, str]:
    """Cut a raw request path (no query string) into the signature and the repaired path that it signs.

    Raises NotFound where the path is no image URL at all, BadRequest where a part is empty.
    """
    text = raw_path.decode("utf-8", "surrogateescape")
    if prefix:
        if not text.startswith(prefix + "/"):
            raise NotFound(f"There is nothing here: image URLs start with {prefix}/.", where="path")
        text = text[len(prefix) :]
    signature, slash, path = text.removeprefix("/").partition("/")
    if not slash:
        raise NotFound("There is nothing here: an image URL is /<signature>/<options>/<source>.", where="path")
    if not signature or not path:
        raise BadRequest(
            "The URL is incomplete: it must be /<signature>/<options>/<source>.",
            where="path",
            expected="/<signature>/<options>/<source>",
        )
    return signature, repair(path)


def repair(path: str) -> str:
    """Undo what proxies and browsers do to a path: escaped colons in options, a slash lost after the scheme."""
    if path.startswith(PLAIN + "/"):
        options, source = "", path.removeprefix(PLAIN + "/")
    else:
        options, marker, source = path.partition(f"/{PLAIN}/")
        if not marker:
            return options.replace("%3A", ":")
    source = _BROKEN_SCHEME.sub(lambda found: f"{found[1]}:{'///' if found[1] in _NO_HOST else '//'}{found[2]}", source)
    options = options.replace("%3A", ":")
    return f"{options}/{PLAIN}/{source}".removeprefix("/")


def parse(path: str, grammar: Grammar, *, hints: Sequence[Op] = (), query: str = "") -> Plan:
    """Read a repaired path (without signature) as a Plan; `query`, as it was sent, picks among its choices.

    `hints` are options that the request's headers ask for; every option of the URL and the preset `default` come after
    them and win. Raises BadRequest, BadOption, OptionForbidden.
    """
    if len(path) > grammar.max_path_length:
        raise BadRequest(f"The URL is too long: at most {grammar.max_path_length} characters are read.", where="path")
    segments = path.split("/")
    count = _options_count(segments, grammar)
    options, picked = segments[:count], None
    if CHOOSE in path and not grammar.only_presets:
        options, picked = _chosen(options, query, grammar)
    try:
        source, extension = parse_source(segments[count:], includes_filename=grammar.base64_includes_filename)
    except BadRequest:
        # What is wrong with an option comes first in the URL, and often is what makes the source wrong.
        _recipe(options, "", grammar, hints=hints)
        raise
    given = "/".join(options), extension
    recipe = grammar.recipes.get(given) if not hints else None
    if recipe is None:
        recipe = _recipe(options, extension, grammar, hints=hints)
        if not hints:
            grammar.recipes.put(given, recipe)
    return replace(recipe, source=_resolve(source, grammar), picked=picked)


def _chosen(segments: list[str], query: str, grammar: Grammar) -> tuple[list[str], str | None]:
    """Put what the query picks in the place of choices; None = there are none in these options."""
    if not any(is_choice(segment, grammar.separator) for segment in segments):
        return segments, None
    given = "/".join(segments)
    choices = grammar.choices.get(given)
    if choices is None:
        choices = check_choices(segments, grammar, expand=True)
        grammar.choices.put(given, choices)
    return choices.pick(query, grammar.separator)


def check_choices(segments: Sequence[str], grammar: Grammar, *, expand: bool = False) -> Choices:
    """Read options with choices among them, each of whose values is one that the URL could have itself.

    `expand` makes sure that presets among them exist, which only a server knows.
    """

    def check(name: str, value: str) -> None:
        ops = parse_options([f"{name}{grammar.separator}{value}"], grammar)
        if expand:
            _expanded(ops, grammar)

    _permit(CHOOSE, grammar)
    return read_choices(segments, grammar.separator, catalog=grammar.catalog, check=check)


def _options_count(segments: Sequence[str], grammar: Grammar) -> int:
    """Count the segments that are options: the first one without an argument starts the source."""
    if grammar.only_presets:
        return 1
    if segments[0] in _BASIC_GRAMMAR:
        raise BadRequest(
            f"{segments[0]!r} is not an option: write it as resize:{segments[0]}:<width>:<height>.",
            where=segments[0],
            expected="options of the form name:argument",
        )
    return next((at for at, segment in enumerate(segments) if grammar.separator not in segment), len(segments))


def _recipe(segments: Sequence[str], extension: str, grammar: Grammar, *, hints: Sequence[Op]) -> Plan:
    """Read the options of a URL as a Plan that has no source yet."""
    ops: list[Op] = [_only_presets(segments[0], grammar)] if grammar.only_presets else parse_options(segments, grammar)
    default = [Preset(names=("default",))] if "default" in grammar.presets else []
    given = [*default, *ops]
    everything = _expanded(given, grammar)
    if extension and not any(one.spec.name == "raw" for one in everything):
        everything.append(_parse_option("format", [extension], f"extension {extension}", grammar.catalog))
    presets = presets_used(given, grammar.presets)
    return arrange("", [*hints, *everything], grammar.catalog, presets=presets)


def parse_options(segments: Sequence[str], grammar: Grammar) -> list[Op]:
    """Read option segments in order, presets not yet expanded; checks what the operator permits."""
    if len(segments) > grammar.max_options:
        raise BadRequest(f"The URL has {len(segments)} options: at most {grammar.max_options} are read.", where="path")
    return [_permitted_option(segment, grammar) for segment in segments]


def _permitted_option(segment: str, grammar: Grammar) -> Op:
    name, *pieces = segment.split(grammar.separator)
    _permit(name, grammar)
    one = _parse_option(name, pieces, name, grammar.catalog)
    if one.spec.guarded and not grammar.allow_security_options:
        raise OptionForbidden(
            f"The option {name!r} changes limits and is not permitted on this server "
            "(IMGSERVE_ALLOW_SECURITY_OPTIONS permits it).",
            where=name,
        )
    return one


def _permit(name: str, grammar: Grammar) -> None:
    if grammar.allowed_options is not None and name not in grammar.allowed_options:
        raise OptionForbidden(
            f"The option {name!r} is not permitted on this server.",
            where=name,
            expected=f"one of {', '.join(sorted(grammar.allowed_options))}",
        )


def _parse_option(name: str, pieces: Sequence[str], where: str, catalog: Catalog) -> Op:
    try:
        return catalog.parse(name, pieces)
    except KeyError:
        raise _unknown_option(name, catalog) from None
    except BadArgument as wrong:
        what = f"{where}, argument {wrong.field}" if wrong.field and len(pieces) > 1 else where
        raise BadOption(
            f"Option {what}: expected {wrong.expected}, got {wrong.got[:80]!r}.",
            where=what,
            got=wrong.got[:80],
            expected=wrong.expected,
        ) from None


def _unknown_option(name: str, catalog: Catalog) -> BadOption:
    hint, expected = "", "the name of an option"
    if name.lower() in ("http", "https", "s3", "local"):
        hint = f" A source is written plain/{name.lower()}://… or base64url-encoded."
        expected = "options, then plain/<source URL>"
    elif near := difflib.get_close_matches(name[:40], catalog.by_name, 1):
        hint = f" Did you mean {near[0]!r}?"
        expected = near[0]
    return BadOption(f"There is no option called {name[:80]!r}.{hint}", where=name[:80], expected=expected)


def _only_presets(segment: str, grammar: Grammar) -> Op:
    return _parse_option("preset", segment.split(grammar.separator), "preset", grammar.catalog)


def _expanded(ops: Iterable[Op], grammar: Grammar) -> list[Op]:
    try:
        out = expand_presets(ops, grammar.presets)
    except KeyError as missing:
        name = str(missing.args[0])[:80]
        raise BadOption(
            f"There is no preset called {name!r}.",
            where="preset",
            got=name,
            expected=f"one of {', '.join(sorted(grammar.presets)) or 'no presets: none are configured'}",
        ) from None
    if len(out) > grammar.max_options:
        raise BadRequest(
            f"The presets make {len(out)} options: at most {grammar.max_options} are read.", where="preset"
        )
    return out


def _resolve(source: str, grammar: Grammar) -> str:
    if grammar.own and source.startswith(grammar.own):
        return source
    for pattern, replacement in grammar.url_replacements:
        source = pattern.sub(replacement, source, count=1)
    return source if source.startswith(grammar.base_url) else grammar.base_url + source


def compile_replacement(pattern: str, replacement: str) -> tuple[re.Pattern[str], str]:
    """Compile one `pattern=replacement`: `*` captures what is not a slash, `${1}` puts it back.

    Raises ValueError for a number that no `*` has.
    """
    stars = pattern.count("*")
    for number in re.findall(r"\$\{([0-9]{1,2})\}", replacement):
        if not 0 < int(number) <= stars:
            raise ValueError(f"${{{number}}} stands for nothing: the pattern has {stars} times *")
    expression = "^" + "([^/]*)".join(map(re.escape, pattern.split("*")))
    literal = replacement.replace("\\", "\\\\")
    return re.compile(expression), re.sub(r"\$\{([0-9]{1,2})\}", r"\\g<\1>", literal)
