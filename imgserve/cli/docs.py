"""`imgserve docs`: the pages of docs/ that are made of declarations, and whether they are current."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import click

from imgserve import metrics
from imgserve.app.grammar import shipped_presets
from imgserve.cli.presets import options_text
from imgserve.ops.catalog import CATALOG
from imgserve.ops.info import INFO_CATALOG
from imgserve.plan.presets import load_toml
from imgserve.settings import DROPPED, FALLBACK_PREFIX, rows
from imgserve.spec.describe import options_markdown, options_schema, presets_schema, settings_markdown

_MADE: Final = "<!-- Made by `scripts/docs` from the code: change it there, not here. -->\n\n"

_OPTIONS: Final = """# Options

Options stand between the signature and the source: `/<signature>/width:300/quality:75/plain/<source>`. Their order has
no influence, except that a later option replaces an earlier one of the same name. [urls.md](urls.md) has the grammar.
Arguments stand after the name, in the order of the tables, with `:` between them; trailing ones may be left out.

"""

_INFO_OPTIONS: Final = """# Options of /info

Options of `/info/<signature>/<options>/plain/<source>`; [info.md](info.md) tells what the answers are like. Names mean
other things here than in URLs of pictures.

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


_METRICS: Final = """# Metrics

`/metrics` on the server's own port has the sums of all processes, for Prometheus: as text, or in OpenMetrics where the
client accepts it. With `IMGSERVE_PATH_PREFIX` it answers below the prefix too. Where `IMGSERVE_SECRET` is set it wants
that secret (`authorization` in Prometheus' scrape configuration). It tells what the server does, not what is in the
pictures, but do not publish it: let your proxy or CDN refuse the path, or give it an address of its own with
`IMGSERVE_PROMETHEUS_BIND`, for example `127.0.0.1:8081`; every path there answers, no secret is asked for, and
`/metrics` on the server's own port is then no route. `IMGSERVE_METRICS=false` turns all of it off.

Names begin with `IMGSERVE_PROMETHEUS_NAMESPACE` (`imgserve`); those that imgproxy has mean the same here, so its
dashboards work after a change of the prefix. As there, requests, statuses, errors and durations are those of image URLs
alone: health checks, scrapes and other routes are not counted. The values of `type` and `code` are our error codes
(`imgserve/errors.py` lists them), not imgproxy's words.

Processes count in files of a private folder, in memory (`/dev/shm`) where there is one. The counts of a process that
ends, however it ends, stay in the sums; its gauges go. A metric with labels is shown once it has counted something.

"""


def options_page() -> str:
    return _MADE + _OPTIONS + options_markdown(CATALOG)


def info_options_page() -> str:
    return _MADE + _INFO_OPTIONS + options_markdown(INFO_CATALOG)


def settings_page() -> str:
    dropped = "\n".join(f"| `{FALLBACK_PREFIX}{name}` | {reason} |" for name, reason in DROPPED.items())
    tail = f"\n## Variables of imgproxy without effect here\n\n| variable | why |\n| --- | --- |\n{dropped}\n"
    return _MADE + _SETTINGS + settings_markdown(rows()) + tail


def presets_page() -> str:
    known = load_toml(shipped_presets(), CATALOG)
    lines = [f"| `{entry.name}` | {entry.doc} | `{options_text(entry, known)}` |" for entry in known.values()]
    return _MADE + _PRESETS + "\n".join(["| preset | what it is for | options |", "| --- | --- | --- |", *lines, ""])


def metrics_page() -> str:
    lines = [
        f"| `{row.name}` | {row.kind.value} | {row.doc} | {_labels(row.labels)} |"
        for row in metrics.METRICS
        if not row.shown_as
    ]
    head = ["| metric | kind | what it says | labels |", "| --- | --- | --- | --- |"]
    return _MADE + _METRICS + "\n".join([*head, *lines, ""])


def _labels(labels: Mapping[str, str]) -> str:
    return "<br>".join(f"`{name}`: {values}" for name, values in labels.items())


def presets_schema_page() -> str:
    return json.dumps(presets_schema(CATALOG), indent=2) + "\n"


def options_schema_page() -> str:
    return json.dumps(options_schema(CATALOG), indent=2) + "\n"


def info_schema_page() -> str:
    return json.dumps(options_schema(INFO_CATALOG, title="imgserve info options"), indent=2) + "\n"


PAGES: Final[tuple[tuple[str, Callable[[], str]], ...]] = (
    ("options.md", options_page),
    ("info-options.md", info_options_page),
    ("settings.md", settings_page),
    ("presets.md", presets_page),
    ("metrics.md", metrics_page),
    ("presets.schema.json", presets_schema_page),
    ("options.schema.json", options_schema_page),
    ("info.schema.json", info_schema_page),
)


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when a page is not current.")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=Path("docs"), show_default=True, help="Where."
)
def docs(check: bool, folder: Path) -> None:
    """Write the pages on options, settings, presets and metrics."""
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
