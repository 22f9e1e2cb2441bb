"""`imgserve sign`: print signed URLs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Final

import click

from imgserve.app.grammar import build_grammar
from imgserve.cli.address import address_of
from imgserve.cli.environment import EXIT_CONFIG, refuse, settings_or_exit, variable
from imgserve.errors import ConfigError, ImgserveError
from imgserve.ops.info import INFO
from imgserve.plan.choices import CHOOSE
from imgserve.plan.model import Plan
from imgserve.plan.presets import Preset
from imgserve.plan.signing import key_pairs
from imgserve.plan.writing import write
from imgserve.settings import Settings
from imgserve.sign import UrlSigner
from imgserve.spec.kinds import FALSE_TEXTS

WHERE_KEYS_ARE: Final = (
    "that of `scripts/serve` is in .run/serve.env (set -a; . .run/serve.env; set +a), that of another server in its "
    ".env, which is read in the folder where it is"
)


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]…")
@click.option("--source", "-s", "sources", multiple=True, help="Source URL; may be repeated.")
@click.option("--option", "options", multiple=True, help="An option as in a URL, width:300; may be repeated.")
@click.option("--preset", "-p", "presets", multiple=True, help="Name of a preset; may be repeated.")
@click.option("--base64", is_flag=True, help="Encode the source instead of writing it out.")
@click.option("--info", is_flag=True, help="URLs of facts about the source (docs/info.md), with its options.")
@click.option("--base-url", help="Where clients reach the server; by default where it listens on this machine.")
def sign(
    paths: tuple[str, ...],
    sources: tuple[str, ...],
    options: tuple[str, ...],
    presets: tuple[str, ...],
    base64: bool,
    info: bool,
    base_url: str | None,
) -> None:
    """Print signed URLs: of each PATH as it is (/width:300/plain/https://…), or of each --source with options.

    With --info, URLs that tell facts about a source: its paths and options are those of /info.
    """
    if not paths and not sources:
        raise click.UsageError("Give at least one PATH or --source.")
    if paths and (options or presets or base64):
        raise click.UsageError("A PATH has its options in it: --option, --preset and --base64 belong to --source.")
    if info and presets:
        raise click.UsageError("Info URLs have no presets: leave out --preset.")
    _demand_key()
    settings = settings_or_exit()
    if info:
        _echo_info(settings, paths, sources, options, base64=base64, base_url=base_url)
        return
    signer = signer_of(settings, base_url)
    demand_presets(settings, presets, options)
    if settings.url.only_presets and sources and (options or not presets):
        raise click.ClickException("This server takes presets only: give --preset and no --option.")
    try:
        for path in paths:
            click.echo(signer.signed(path))
        for source in sources:
            if settings.url.only_presets:
                names = settings.url.arguments_separator.join(presets)
                click.echo(signer.signed(f"/{names}{write(Plan(source=source), encode=base64)}"))
            else:
                click.echo(signer.url(source, *options, presets=presets, base64=base64))
    except ImgserveError as wrong:
        raise click.ClickException(wrong.message) from None


def demand_presets(settings: Settings, presets: Iterable[str], options: Iterable[str]) -> None:
    """Refuse presets that a server with these settings does not have, those in options and choices too."""
    try:
        known = build_grammar(settings).presets
    except ConfigError as wrong:
        refuse(wrong.problems)
    if missing := [name for name in (*presets, *_presets_in(options)) if name not in known]:
        raise click.ClickException(f"There is no preset called {missing[0]!r}; there are {', '.join(sorted(known))}.")


def _presets_in(options: Iterable[str]) -> Iterator[str]:
    for one in options:
        name, *values = one.removeprefix(f"{CHOOSE}:").split(":")
        if name in Preset.spec.names:
            # Without any, the option is refused for that.
            yield from filter(None, values)


def _demand_key() -> None:
    """Say where keys are to who has none: what the settings say of it is for servers."""
    if variable("key") or variable("allow_unsigned") not in FALSE_TEXTS:
        return
    click.secho("There is no key to sign with.", fg="red", bold=True, err=True)
    click.echo(f"IMGSERVE_KEY and IMGSERVE_SALT are those of the server: {WHERE_KEYS_ARE}.", err=True)
    sys.exit(EXIT_CONFIG)


def _echo_info(
    settings: Settings,
    paths: tuple[str, ...],
    sources: tuple[str, ...],
    options: tuple[str, ...],
    *,
    base64: bool,
    base_url: str | None,
) -> None:
    signer, below = signer_of(settings, base_url), signer_of(settings, base_url, route=INFO)
    try:
        for path in paths:
            click.echo(below.signed(path))
        for source in sources:
            click.echo(signer.info_url(source, *options, base64=base64))
    except ImgserveError as wrong:
        raise click.ClickException(wrong.message) from None


def signer_of(settings: Settings, base_url: str | None = None, *, route: str = "") -> UrlSigner:
    """Make the signer that a server with these settings believes; `route` stands before signatures, unsigned."""
    url = settings.url
    try:
        key_pairs(url.key, url.salt)
        where = (base_url or address_of(settings.server.bind).url + url.path_prefix).rstrip("/") + route
    except ConfigError as wrong:
        refuse(wrong.problems)
    except ValueError as wrong:
        refuse([f"IMGSERVE_KEY and IMGSERVE_SALT: {wrong}"])
    return UrlSigner(
        key=url.key[0] if url.key else "",
        salt=url.salt[0] if url.salt else "",
        base_url=where,
        signature_size=url.signature_size,
        arguments_separator=url.arguments_separator,
    )
