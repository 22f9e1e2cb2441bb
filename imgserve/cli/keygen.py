"""`imgserve keygen`: make a key and a salt."""

from __future__ import annotations

import re
import secrets
from typing import Final

import click

from imgserve.service.api_keys import digest_of, new_key

#: As long as the SHA-256 that uses it.
KEY_BYTES: Final = 32

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


@click.command()
@click.option("--api-key", "name", metavar="NAME", help="make a key for the /v1 API in place of a signing key")
def keygen(name: str | None) -> None:
    """Print a new random key and salt, as lines for .env."""
    if name is not None:
        _api_key(name)
        return
    for variable in ("IMGSERVE_KEY", "IMGSERVE_SALT"):
        click.echo(f"{variable}={secrets.token_hex(KEY_BYTES)}")


def _api_key(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise click.BadParameter("a name has letters, digits and - _ . of ASCII, at most 64", param_hint="--api-key")
    key = new_key()
    click.echo(f"# the key, for Authorization: Bearer <key>; it is not shown again: {key}")
    click.echo(f"IMGSERVE_API_KEYS={name}:{digest_of(key)}")
