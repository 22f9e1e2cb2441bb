"""`imgserve keygen`: make a key and a salt."""

from __future__ import annotations

import secrets
from typing import Final

import click

#: As long as the SHA-256 that uses it.
KEY_BYTES: Final = 32


@click.command()
def keygen() -> None:
    """Print a new random key and salt, as lines for .env."""
    for name in ("IMGSERVE_KEY", "IMGSERVE_SALT"):
        click.echo(f"{name}={secrets.token_hex(KEY_BYTES)}")
