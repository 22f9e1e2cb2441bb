"""From settings to the URL grammar: presets of all kinds, replacements, what a URL may say."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import imgserve
from imgserve.app.plugins import catalog_with
from imgserve.errors import ConfigError
from imgserve.ops.catalog import CATALOG
from imgserve.ops.info import INFO_CATALOG
from imgserve.plan.choices import CHOOSE
from imgserve.plan.presets import PresetEntry, check_names, load_toml, parse_strings
from imgserve.plan.url import Grammar, compile_replacement, parse_options
from imgserve.service.uploads import UPLOADS
from imgserve.settings import Settings


def build_grammar(settings: Settings) -> Grammar:
    """Make the grammar; raises ConfigError with every mistake in presets and replacements."""
    url, security = settings.url, settings.security
    # Packages are looked through only where one is named: it takes a start 20 ms.
    catalog = catalog_with(settings.models.plugins) if settings.models.plugins else CATALOG
    bare = Grammar(
        catalog=catalog,
        separator=url.arguments_separator,
        base_url=url.base_url,
        own=UPLOADS,
        base64_includes_filename=url.base64_url_includes_filename,
        only_presets=url.only_presets,
        allow_security_options=security.allow_security_options,
        max_options=url.max_options,
    )
    problems: list[str] = []
    presets = _presets(settings, bare, problems)
    replacements = []
    for text in url.url_replacements:
        pattern, equals, replacement = text.partition("=")
        if not equals or not pattern:
            problems.append(f"IMGSERVE_URL_REPLACEMENTS: expected pattern=replacement, got {text!r}")
            continue
        try:
            replacements.append(compile_replacement(pattern, replacement))
        except ValueError as wrong:
            problems.append(f"IMGSERVE_URL_REPLACEMENTS: {text!r}: {wrong}")
    problems += [
        f"IMGSERVE_ALLOWED_PROCESSING_OPTIONS: there is no option called {name!r}"
        for name in security.allowed_processing_options
        if name not in catalog.by_name and name not in INFO_CATALOG.by_name and name != CHOOSE
    ]
    if problems:
        raise ConfigError(problems)
    return dataclasses.replace(
        bare,
        presets=presets,
        url_replacements=tuple(replacements),
        # Presets are the operator's own words: this list binds URLs alone, as in imgproxy.
        allowed_options=frozenset(security.allowed_processing_options) or None,
    )


def shipped_presets() -> Path:
    """Find the folder of presets that come with the server: inside the package when installed, else beside it."""
    package = Path(imgserve.__file__).parent
    inside = package / "presets"
    return inside if inside.is_dir() else package.parent / "presets"


def _presets(settings: Settings, grammar: Grammar, problems: list[str]) -> dict[str, PresetEntry]:
    """Read all presets; a later one replaces an earlier of the same name."""
    out: dict[str, PresetEntry] = {}
    for read in _readers(settings, grammar):
        try:
            out.update(read())
        except ConfigError as wrong:
            problems += wrong.problems
    try:
        check_names(out)
    except ConfigError as wrong:
        # A preset that could not be read is missing here too; that would be the same mistake twice.
        problems += [] if problems else wrong.problems
    return out


def _readers(settings: Settings, grammar: Grammar) -> Iterator[Callable[[], dict[str, PresetEntry]]]:
    url = settings.url
    yield lambda: load_toml(shipped_presets(), grammar.catalog)
    if url.presets_path:
        yield lambda: _from_path(Path(url.presets_path), grammar)
    if url.presets:
        yield lambda: parse_strings(
            url.presets.split(url.presets_separator or ","), lambda segments: parse_options(segments, grammar)
        )


def _from_path(path: Path, grammar: Grammar) -> dict[str, PresetEntry]:
    if path.is_dir():
        return load_toml(path, grammar.catalog)
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as wrong:
        raise ConfigError([f"IMGSERVE_PRESETS_PATH: {path} cannot be read ({_reason(wrong)})"]) from wrong
    return parse_strings(lines, lambda segments: parse_options(segments, grammar))


def _reason(wrong: OSError | UnicodeDecodeError) -> str:
    return (wrong.strerror or "no reason given") if isinstance(wrong, OSError) else "it is not UTF-8 text"
