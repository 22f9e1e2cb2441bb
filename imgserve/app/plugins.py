"""Plug-ins: packages beside this one that add options or providers by entry points, loaded where settings name them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from imgserve.errors import ConfigError
from imgserve.ops.catalog import FAMILIES
from imgserve.ports.models import Provider, Task
from imgserve.spec.op import Catalog, Op

#: Each names a tuple of option classes.
OPTIONS: Final = "imgserve.options"
#: Each names a function without arguments that gives a ports.models.Provider; it reads settings of its own.
PROVIDERS: Final = "imgserve.providers"


def catalog_with(names: Sequence[str]) -> Catalog:
    """Give the catalog with the options of these plug-ins behind ours; raises ConfigError."""
    problems: list[str] = []
    families: list[Sequence[type[Op]]] = list(FAMILIES)
    for name in names:
        try:
            families.append(_options(name))
        except ConfigError as wrong:
            problems += wrong.problems
    if problems:
        raise ConfigError(problems)
    try:
        return Catalog(families)
    except TypeError as wrong:
        raise ConfigError([f"IMGSERVE_PLUGINS: {wrong}"]) from wrong


def _options(name: str) -> Sequence[type[Op]]:
    given = _loaded(OPTIONS, name, "IMGSERVE_PLUGINS")
    if not isinstance(given, tuple) or not all(isinstance(one, type) and issubclass(one, Op) for one in given):
        raise ConfigError([f"IMGSERVE_PLUGINS: {name!r} is no tuple of option classes"])
    return cast(Sequence[type[Op]], given)


def plugged_provider(name: str, task: Task, *, variable: str, ours: Sequence[str] = ()) -> Provider:
    """Make the provider of a plug-in; raises ConfigError, which names the variable that chose it.

    `ours` are the words that the variable may have without any plug-in.
    """
    make = _loaded(PROVIDERS, name, variable, ours=ours)
    try:
        provider = make() if callable(make) else None
    except Exception as wrong:
        raise ConfigError([f"{variable}: the plug-in {name!r} cannot be used: {wrong!r}"]) from wrong
    capability = getattr(provider, "capability", None)
    if provider is None or getattr(capability, "task", None) is not task:
        raise ConfigError([f"{variable}: the plug-in {name!r} is no provider of {task}"])
    return cast(Provider, provider)


def _loaded(group: str, name: str, variable: str, *, ours: Sequence[str] = ()) -> object:
    # Late: with what it imports it takes a start 10 ms, and few servers have plug-ins.
    from importlib.metadata import entry_points

    found = [*entry_points(group=group, name=name)]
    if not found:
        known = ", ".join(sorted(one.name for one in entry_points(group=group))) or "none"
        words = f"expected {', '.join(ours)} or a plug-in's name, " if ours else ""
        raise ConfigError([f"{variable}: {words}no plug-in called {name!r} is installed ({group}: {known})"])
    try:
        return found[0].load()
    except Exception as wrong:
        raise ConfigError([f"{variable}: the plug-in {name!r} cannot be loaded: {wrong!r}"]) from wrong
