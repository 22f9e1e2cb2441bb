"""`imgserve translate`: signed URLs of this server in place of those of another image server."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Final

import click

from imgserve.cli.environment import settings_or_exit
from imgserve.cli.request_lines import Asked, asked
from imgserve.cli.sign import WHERE_KEYS_ARE, demand_presets, signer_of
from imgserve.errors import BadRequest, ImgserveError
from imgserve.migrate import DIALECTS, Note, Translation, asks_for_picture
from imgserve.migrate import translate as translated
from imgserve.migrate.urls import without_entities
from imgserve.settings import Settings
from imgserve.sign import UrlSigner

_ORIGIN: Final = re.compile(r"^(?:https?:)?//[^/?#]*", re.IGNORECASE)

#: From a translation to its signed URL; the flag hides the source in base64.
Write = Callable[[Translation, bool], str]
#: The line for a translation, and how often a log asks for it.
Show = Callable[[Translation, int], str]

#: Of addresses that are passed over.
_SHOWN: Final = 3


class Told:
    """What was told already, and how it went: of a log's lines most are alike."""

    def __init__(self, *, dialect: str | None, as_json: bool) -> None:
        self._whose = dialect or "these servers"
        self._as_json = as_json
        self._said: set[tuple[str, ...]] = set()
        self._passed: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()

    @property
    def has_failed(self) -> bool:
        """A URL was not understood, or of a log all were passed over."""
        return bool(self.counts["not understood"] or (self._passed and not self.counts.total()))

    def passed(self, url: str, hits: int) -> None:
        self._passed[url] += hits

    def misread(self, url: str, error: ImgserveError) -> None:
        self.counts["not understood"] += 1
        click.secho(f"{url[:200]}: {error.message}", fg="red", err=True)
        if self._as_json:
            click.echo(json.dumps({"url": url, "error": error.message}))

    def done(self, one: Translation) -> None:
        self.counts["in part" if one.dropped else "in full"] += 1
        if one.guessed:
            self._say(
                (one.dialect,), f"taken for {one.dialect}; if it is not, name the server with --from: {one.url[:200]}"
            )
        for word, notes in (("not translated", one.dropped), ("differs", one.differs)):
            for note in notes:
                self._say((word, note.part, note.text), f"{word}: {note.part}: {note.text}")

    def close(self) -> None:
        if self._passed:
            shown = ", ".join(url[:80] for url, _ in self._passed.most_common(_SHOWN))
            others = ", …" if len(self._passed) > _SHOWN else ""
            click.echo(
                f"passed over, as they ask for no picture of {self._whose} (addresses: {len(self._passed)}, requests: "
                f"{self._passed.total()}): {shown}{others}",
                err=True,
            )
        if self.counts.total() > 1:
            found = ", ".join(f"{count} {word}" for word, count in self.counts.items())
            click.echo(f"{self.counts.total()} URLs: {found}", err=True)

    def _say(self, key: tuple[str, ...], text: str) -> None:
        if key not in self._said:
            self._said.add(key)
            click.echo(text, err=True)


@click.command()
@click.argument("urls", nargs=-1, metavar="[URL]…")
@click.option("--file", "files", multiple=True, type=click.File(errors="replace"), help="File of URLs, or access log.")
@click.option("--from", "dialect", type=click.Choice(list(DIALECTS)), help="Whose URLs; guessed if left out.")
@click.option("--source-base", default="", help="What relative sources are put behind: https://shop.example.com.")
@click.option("--option", "options", multiple=True, help="An option to add, as in a URL; may be repeated.")
@click.option("--preset", "-p", "presets", multiple=True, help="Name of a preset to add; may be repeated.")
@click.option("--base-url", help="Where clients reach the server; by default where it listens on this machine.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a URL, with all that was found.")
@click.option("--map", "as_map", is_flag=True, help="Lines for a map of nginx, from old requests to new URLs.")
@click.option("--hits", "with_hits", is_flag=True, help="Put how often a log asks for it before each URL.")
@click.option("--strict", is_flag=True, help="Exit with 1 where any part has no counterpart, too.")
def translate(
    urls: tuple[str, ...],
    files: tuple[IO[str], ...],
    dialect: str | None,
    source_base: str,
    options: tuple[str, ...],
    presets: tuple[str, ...],
    base_url: str | None,
    as_json: bool,
    as_map: bool,
    with_hits: bool,
    strict: bool,
) -> None:
    """Translate each URL of thumbor, imagor, IPX, Cloudflare, Cloudinary, weserv or Next.js, and sign the result.

    Without URL and --file, or for the URL -, lines are read from standard input: URLs, paths, or an access log. URLs
    of a list are answered line by line, those of a log once, the most wanted first. What has no counterpart is told on
    stderr. Signatures of the other server are not checked. Exits with 1 where a URL is not understood.
    """
    if as_json + as_map + with_hits > 1:
        raise click.UsageError("--json, --map and --hits exclude each other.")
    settings = settings_or_exit(key_needed=False)
    if not settings.url.key:
        warning = f"warning: without IMGSERVE_KEY and IMGSERVE_SALT these URLs are not signed: {WHERE_KEYS_ARE}"
        click.secho(warning, fg="yellow", err=True)
    write = _writer(settings, base_url, options, presets)
    show = _show_map(write) if as_map else _show_json(write, presets) if as_json else _show_url(write, with_hits)
    told = Told(dialect=dialect, as_json=as_json)
    for url, hits in _wanted(_asked_for(urls, files, told), dialect, told):
        try:
            one = translated(url, dialect=dialect, source_base=source_base)
            shown = show(one, hits)
        except ImgserveError as wrong:
            told.misread(url, wrong)
            continue
        told.done(one)
        if shown:
            click.echo(shown)
    told.close()
    if told.has_failed or (strict and told.counts["in part"]):
        sys.exit(1)


def _writer(settings: Settings, base_url: str | None, options: tuple[str, ...], presets: tuple[str, ...]) -> Write:
    """Make what signs; what is wrong with the options and presets to add is told before any URL is read."""
    if settings.url.only_presets:
        raise click.ClickException("This server takes presets only: what URLs ask for cannot be said to it.")
    signer: UrlSigner = signer_of(settings, base_url)
    demand_presets(settings, presets, options)
    try:
        signer.url("local:///a", *options, presets=presets)
    except ImgserveError as wrong:
        raise click.ClickException(wrong.message) from None

    def write(one: Translation, base64: bool) -> str:
        return signer.url(one.source, *one.options, *options, presets=presets, base64=base64)

    return write


def _show_url(write: Write, with_hits: bool) -> Show:
    def show(one: Translation, hits: int) -> str:
        return f"{hits}\t{write(one, False)}" if with_hits else write(one, False)

    return show


def _show_json(write: Write, presets: tuple[str, ...]) -> Show:
    def show(one: Translation, hits: int) -> str:
        facts = {
            "hits": hits,
            **{name: getattr(one, name) for name in ("url", "dialect", "guessed", "source", "options")},
            "presets": presets,
            "dropped": _notes(one.dropped),
            "differs": _notes(one.differs),
            "translated": write(one, False),
        }
        return json.dumps(facts)

    return show


def _notes(notes: Iterable[Note]) -> list[dict[str, str]]:
    return [dataclasses.asdict(note) for note in notes]


def _show_map(write: Write) -> Show:
    seen: dict[str, str] = {}

    def show(one: Translation, hits: int) -> str:
        old = _request_uri(one.url)
        earlier = seen.get(old.lower())
        if earlier == old:
            return ""
        if earlier is not None:
            # nginx would not start: "conflicting parameter".
            raise BadRequest(f"A map of nginx knows no capitals, so it is left out: {earlier[:200]} is there already.")
        seen[old.lower()] = old
        new = write(one, False)
        # nginx reads variables in the value, and has no way to write a dollar sign there.
        new = write(one, True) if "$" in new else new
        return f'"{_escaped(old)}" "{_escaped(new)}";'

    return show


def _request_uri(url: str) -> str:
    """Give a URL as nginx has it in $request_uri; without its slash it could be a pattern, or the map's default."""
    text = _ORIGIN.sub("", url.strip(), count=1).partition("#")[0]
    return text if text.startswith("/") else f"/{text}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _wanted(every: Iterable[Asked], dialect: str | None, told: Told) -> Iterator[tuple[str, int]]:
    """Give URLs of lists as they come, then those of logs once each and the most wanted first, with their number."""
    logged: Counter[str] = Counter()
    for one in every:
        if one.is_logged:
            logged[one.url] += 1
        else:
            yield one.url, 1
    for url, hits in logged.most_common():
        if asks_for_picture(url, dialect=dialect):
            yield url, hits
        else:
            told.passed(url, hits)


def _asked_for(urls: tuple[str, ...], files: tuple[IO[str], ...], told: Told) -> Iterator[Asked]:
    """Give all URLs, those of standard input in place of "-" or where nothing else is given."""
    for url in urls or (() if files else ("-",)):
        yield from _lines(sys.stdin, told) if url == "-" else (Asked(without_entities(url)),)
    for file in files:
        yield from _lines(file, told)


def _lines(lines: Iterable[str], told: Told) -> Iterator[Asked]:
    for line in lines:
        try:
            one = asked(line)
        except ImgserveError as wrong:
            told.misread(line.strip(), wrong)
            continue
        if one.url:
            yield one
