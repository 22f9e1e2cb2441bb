"""`imgserve presets`: what each preset is for, and the options it stands for."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from imgserve.app.grammar import build_grammar
from imgserve.cli.environment import refuse, settings_or_exit
from imgserve.errors import ConfigError
from imgserve.ops.catalog import CATALOG
from imgserve.plan.model import arrange
from imgserve.plan.presets import PresetEntry, Presets, expand_presets
from imgserve.settings import Settings


@click.command()
def presets() -> None:
    """List the presets that come with the server and those of the settings."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column("preset", no_wrap=True)
    table.add_column("what it is for", ratio=1)
    table.add_column("options", ratio=1, overflow="fold")
    known = presets_or_exit(settings_or_exit(key_needed=False))
    for entry in known.values():
        table.add_row(entry.name, entry.doc, options_text(entry, known))
    Console(emoji=False).print(table)


def presets_or_exit(settings: Settings) -> Presets:
    """Read all presets, or tell every mistake in them and exit."""
    try:
        return build_grammar(settings).presets
    except ConfigError as wrong:
        refuse(wrong.problems)


def options_text(entry: PresetEntry, known: Presets) -> str:
    """Print the options that a preset stands for in the end, as they would stand in a URL."""
    plan = arrange("", expand_presets(entry.ops, known, inside=(entry.name,)), CATALOG)
    return "/".join(one.text() for one in (*plan.ops, *plan.delivery))
