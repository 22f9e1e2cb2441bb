"""The command `imgserve` and the list of what it can do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
from dotenv import load_dotenv

from imgserve import __version__

# Commands are imported when they are asked for: together they take 0.7 s, and `health`, which containers run every few
# seconds, needs next to nothing of that. Spawned server processes import this module as well.


def _serve() -> click.Command:
    from imgserve.cli.serve import serve

    return serve


def _worker() -> click.Command:
    from imgserve.cli.worker import worker

    return worker


def _keygen() -> click.Command:
    from imgserve.cli.keygen import keygen

    return keygen


def _sign() -> click.Command:
    from imgserve.cli.sign import sign

    return sign


def _translate() -> click.Command:
    from imgserve.cli.translate import translate

    return translate


def _render() -> click.Command:
    from imgserve.cli.render import render

    return render


def _warm() -> click.Command:
    from imgserve.cli.warm import warm

    return warm


def _presets() -> click.Command:
    from imgserve.cli.presets import presets

    return presets


def _samples() -> click.Command:
    from imgserve.cli.samples.command import samples

    return samples


def _doctor() -> click.Command:
    from imgserve.cli.doctor import doctor

    return doctor


def _health() -> click.Command:
    from imgserve.cli.health import health

    return health


def _docs() -> click.Command:
    from imgserve.cli.docs import docs

    return docs


COMMANDS: Final[dict[str, Callable[[], click.Command]]] = {
    "serve": _serve,
    "worker": _worker,
    "keygen": _keygen,
    "sign": _sign,
    "translate": _translate,
    "render": _render,
    "warm": _warm,
    "presets": _presets,
    "samples": _samples,
    "doctor": _doctor,
    "health": _health,
    "docs": _docs,
}


class Commands(click.Group):
    """A group over COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return COMMANDS[cmd_name]() if cmd_name in COMMANDS else None


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="imgserve")
def main() -> None:
    """An image transformation server: signed URLs become images.

    Settings are read from the environment, and from the file .env where the environment does not have them.
    """
    load_dotenv(Path(".env"))
