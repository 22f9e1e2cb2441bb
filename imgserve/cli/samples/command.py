"""`imgserve samples`: draw the sample pictures, and print URLs that show them."""

from __future__ import annotations

from pathlib import Path

import click

from imgserve.cli.environment import settings_or_exit
from imgserve.cli.presets import presets_or_exit
from imgserve.cli.samples.pictures import draw_missing
from imgserve.cli.samples.showcase import lines
from imgserve.cli.sign import signer_of


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--urls", is_flag=True, help="Also print a signed URL for each preset; FOLDER must be the local root.")
def samples(folder: Path, urls: bool) -> None:
    """Draw sample pictures into FOLDER, those that it does not have yet."""
    for path in draw_missing(folder):
        click.echo(f"drawn: {path}", err=True)
    if urls:
        settings = settings_or_exit()
        names = [name for name in presets_or_exit(settings) if name != "default"]
        for line in lines(names, signer_of(settings)):
            click.echo(line)
