"""What every command reads first: the settings, with all mistakes told at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Final, NoReturn

import click

from imgserve.errors import ConfigError
from imgserve.settings import FALLBACK_PREFIX, PREFIX, Settings, load, rows
from imgserve.spec.describe import setting_text

#: Exit code for wrong settings; click uses it for wrong arguments.
EXIT_CONFIG: Final = 2


def settings_or_exit(*, key_needed: bool = True) -> Settings:
    """Read the settings, or tell every mistake and exit with code 2; warnings go to stderr.

    Commands that neither serve nor sign do without a key.
    """
    try:
        settings = load(key_needed=key_needed)
    except ConfigError as wrong:
        refuse(wrong.problems)
    for warning in settings.warnings:
        click.secho(f"warning: {warning}", fg="yellow", err=True)
    return settings


def refuse(problems: Iterable[str]) -> NoReturn:
    """Tell the mistakes of the configuration, one a line, and exit."""
    listed = list(problems)
    count = "one mistake" if len(listed) == 1 else f"{len(listed)} mistakes"
    click.secho(f"The configuration has {count}:", fg="red", bold=True, err=True)
    for problem in listed:
        click.echo(f"  - {problem}", err=True)
    click.echo("Each setting is described in docs/settings.md; `imgserve doctor` checks them all.", err=True)
    sys.exit(EXIT_CONFIG)


def variable(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """Give the text of one setting without reading the others, for commands that must work when those are wrong."""
    for prefix in (PREFIX, FALLBACK_PREFIX):
        if environ.get(prefix + name.upper()):
            return environ[prefix + name.upper()]
    return next(setting_text(param) for _, known, param in rows() if known == PREFIX + name.upper())
