"""`imgserve docs`: the pages of docs/ that are made of declarations, and whether they are current."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from imgserve.app.grammar import shipped_presets
from imgserve.cli.presets import options_text
from imgserve.ops.catalog import CATALOG
from imgserve.plan.presets import load_toml
from imgserve.settings import DROPPED, FALLBACK_PREFIX, rows
from imgserve.spec.describe import options_markdown, presets_schema, settings_markdown

_MADE: Final = "<!-- Made by `scripts/docs` from the code: change it there, not here. -->\n\n"

_OPTIONS: Final = """# Options

Options stand between the signature and the source: `/<signature>/width:300/quality:75/plain/<source>`. Their order has
no influence, except that a later option replaces an earlier one of the same name. [urls.md](urls.md) has the grammar.
Arguments stand after the name, in the order of the tables, with `:` between them; trailing ones may be left out.

"""

_SETTINGS: Final = f"""# Settings

Settings are environment variables; `imgserve` also reads the file `.env` of the folder it is started in, where the
environment does not have the variable. Where an `IMGSERVE_` variable is not set, the one of the same name with
`{FALLBACK_PREFIX}` is read, so a configuration of imgproxy works as it is. All mistakes are told together, before the
port opens; a variable that this server does not know is named in a warning.

A `PORT` variable, as hosting platforms set it, is obeyed where `IMGSERVE_BIND` is not set: the server then listens on
that port of all addresses.

"""

_PRESETS: Final = """# Presets

A preset is a name for options: `/<signature>/preset:grid/plain/<source>`, or `pr:` for short. Presets compose from
left to right, and options after them win: `pr:bg-removed:shadow:grid/width:300`.

Those below come with the server, one file each in `presets/`. Add your own as `<name>.toml` files in a folder named by
`IMGSERVE_PRESETS_PATH`; they are checked at start, and one of the same name replaces one of ours. A file has a line
`doc` and options by their argument names, or, for the first argument alone, as a plain value:

```toml
doc = "A banner: 1600 pixels wide, slightly sharpened"

sharpen = 0.5

[resize]
type = "fill"
width = 1600
height = 400
```

[presets.schema.json](presets.schema.json) describes such a file for editors. Preset strings of imgproxy
(`name=option:argument/option:argument`) load from `IMGSERVE_PRESETS`, or from a text file named by
`IMGSERVE_PRESETS_PATH`. A preset called `default` is applied to every URL.

"""


def options_page() -> str:
    return _MADE + _OPTIONS + options_markdown(CATALOG)


def settings_page() -> str:
    dropped = "\n".join(f"| `{FALLBACK_PREFIX}{name}` | {reason} |" for name, reason in DROPPED.items())
    tail = f"\n## Variables of imgproxy without effect here\n\n| variable | why |\n| --- | --- |\n{dropped}\n"
    return _MADE + _SETTINGS + settings_markdown(rows()) + tail


def presets_page() -> str:
    known = load_toml(shipped_presets(), CATALOG)
    lines = [f"| `{entry.name}` | {entry.doc} | `{options_text(entry, known)}` |" for entry in known.values()]
    return _MADE + _PRESETS + "\n".join(["| preset | what it is for | options |", "| --- | --- | --- |", *lines, ""])


def presets_schema_page() -> str:
    return json.dumps(presets_schema(CATALOG), indent=2) + "\n"


PAGES: Final[tuple[tuple[str, Callable[[], str]], ...]] = (
    ("options.md", options_page),
    ("settings.md", settings_page),
    ("presets.md", presets_page),
    ("presets.schema.json", presets_schema_page),
)


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when a page is not current.")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=Path("docs"), show_default=True, help="Where."
)
def docs(check: bool, folder: Path) -> None:
    """Write the pages on options, settings and presets."""
    stale = [(folder / name, page()) for name, page in PAGES if _text(folder / name) != page()]
    for path, text in stale:
        if check:
            click.echo(f"{path} is not current: run scripts/docs", err=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        click.echo(f"written: {path}")
    if check and stale:
        sys.exit(1)


def _text(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None
