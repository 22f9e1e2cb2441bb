"""`imgserve health`: ask the running server, for container health checks."""

from __future__ import annotations

import http.client
import sys
import time
from typing import Final
from urllib.parse import urlsplit

import click

from imgserve.cli.address import address_of
from imgserve.cli.environment import variable
from imgserve.errors import ConfigError

_RETRY_S: Final = 0.1


@click.command()
@click.option("--url", help="Base URL of the server; by default where IMGSERVE_BIND (or PORT) says.")
@click.option("--timeout", "timeout_s", default=3.0, show_default=True, help="Seconds the answer may take.")
@click.option("--wait", "wait_s", default=0.0, show_default=True, help="Seconds to wait for a server that starts.")
def health(url: str | None, timeout_s: float, wait_s: float) -> None:
    """Ask the running server whether it is healthy: exit code 0 yes, 1 no."""
    ends_at = time.monotonic() + wait_s
    try:
        base = url or address_of(variable("bind")).url + variable("path_prefix")
    except ConfigError as wrong:
        raise click.ClickException(str(wrong)) from None
    while True:
        answer = _ask(base.rstrip("/") + "/health", timeout_s)
        if answer == http.client.OK:
            click.echo("healthy")
            return
        if time.monotonic() >= ends_at:
            break
        time.sleep(_RETRY_S)
    click.echo(f"not healthy: {base} answered {answer}", err=True)
    sys.exit(1)


def _ask(url: str, timeout_s: float) -> int | str:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=timeout_s)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"nothing ({error})"
    finally:
        connection.close()
