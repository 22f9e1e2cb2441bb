"""The command `imgserve` and the list of what it can do."""

from __future__ import annotations

from pathlib import Path

import click
from dotenv import load_dotenv

from imgserve import __version__
from imgserve.cli.docs import docs
from imgserve.cli.doctor import doctor
from imgserve.cli.health import health
from imgserve.cli.keygen import keygen
from imgserve.cli.presets import presets
from imgserve.cli.render import render
from imgserve.cli.samples.command import samples
from imgserve.cli.serve import serve
from imgserve.cli.sign import sign

COMMANDS: tuple[click.Command, ...] = (serve, keygen, sign, render, presets, samples, doctor, health, docs)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="imgserve")
def main() -> None:
    """An image transformation server: signed URLs become images.

    Settings are read from the environment, and from the file .env where the environment does not have them.
    """
    load_dotenv(Path(".env"))


for _command in COMMANDS:
    main.add_command(_command)
