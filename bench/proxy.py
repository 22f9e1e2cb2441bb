"""Hits in nginx, by the configuration that is shipped, against nginx that has the picture as a file."""

from __future__ import annotations

import os
import random
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from bench import wrk
from bench.ask import Whole, ask, ask_until
from bench.checks import WrongAnswer
from bench.cores import Cores, choose_cores, on_core, process_tree
from bench.findings import Findings, findings
from bench.hot import SIZES, Turn, Way, bars_of, foreign_note, server, table_of, target, turn
from bench.load import HOST
from bench.measure import prepare_photo
from bench.workshop import PHOTO_NAME, REPOSITORY, WORKSHOP, caches, free_port, running

BAR: Final = 0.9
FILE: Final = "nginx, static file"
HIT: Final = "nginx in front of imgserve"
MISSING: Final = "nginx is not installed, and this measurement needs it: apt install nginx-light"
CONNECTIONS: Final = (1, 4, 64)

#: Both run with one worker, in the foreground, as whoever started them.
_MAIN: Final = """\
{user}
daemon off;
worker_processes 1;
pcre_jit on;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    types {{ image/jpeg jpg; }}
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {rest}
}}
"""
#: What a person would write to serve files fast; the log is nginx' own format.
_STATIC: Final = """\
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 65s;
    open_file_cache max=10000 inactive=60s;
    open_file_cache_valid 60s;
    access_log {folder}/access.log;
    server {{
        listen {host}:{port};
        location / {{ root {folder}/files; expires 1y; }}
    }}
"""


def installed() -> bool:
    return shutil.which("nginx") is not None


def shipped(configuration: str, upstream: str, *, folder: Path, port: int, imgserve_port: int) -> str:
    """Put our files into one, with ports and folders of this run; raises WrongAnswer for a line that is not there."""
    out = upstream + configuration
    for pattern, instead in (
        (r"server 127\.0\.0\.1:8080;", f"server {HOST}:{imgserve_port};"),
        (r"listen 80 default_server;", f"listen {HOST}:{port} default_server;"),
        (r"proxy_cache_path \S+", f"proxy_cache_path {folder}/cache"),
        (r"access_log /var/log/nginx/access\.log", f"access_log {folder}/access.log"),
    ):
        out, count = re.subn(pattern, instead, out)
        if not count:
            raise WrongAnswer(f"nginx/imgserve.conf and upstream.conf have nothing like {pattern}")
    return out


@contextmanager
def nginx(name: str, rest: str, *, folder: Path, port: int, core: int) -> Iterator[int]:
    """Run nginx on `core`; gives the id of its worker (the process that loads its cache ends after a minute)."""
    configuration = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    configuration.write_text(_MAIN.format(user=user, folder=folder, rest=rest))
    command = ("nginx", "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(configuration))
    with running(name, command, core=core, port=port, folder=WORKSHOP, env={}) as pid:
        yield _worker_of(pid)


def _worker_of(master: int) -> int:
    for pid in process_tree(master):
        if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"nginx: worker process"):
            return pid
    raise RuntimeError("nginx has started no worker")


@contextmanager
def ways(sizes: Sequence[str], cores: Cores) -> Iterator[tuple[Way, Way]]:
    """Start imgserve and both nginxes; the files are the answers of the first."""
    photos, folder, files = prepare_photo(None).parent, caches("nginx-proxy"), caches("nginx-static")
    with ExitStack() as stack:
        settings = {"IMGSERVE_CACHE": "memory,disk", "IMGSERVE_PROXY_TTL": "10"}
        _, imgserve_port = stack.enter_context(server("behind nginx", photos, cores.server, settings))
        port, static_port = free_port(), free_port()
        rest = shipped(
            (REPOSITORY / "nginx/imgserve.conf").read_text(), (REPOSITORY / "nginx/upstream.conf").read_text(),
            folder=folder, port=port, imgserve_port=imgserve_port,
        )  # fmt: skip
        pid = stack.enter_context(nginx("nginx-proxy", rest, folder=folder, port=port, core=cores.server))
        targets = {size: target(size, PHOTO_NAME) for size in sizes}
        answers = {
            size: ask_until(port, path, name="x-imgserve-proxy", values=("HIT",)) for size, path in targets.items()
        }
        (files / "files").mkdir()
        for size, answer in answers.items():
            (files / "files" / f"{size}.jpg").write_bytes(answer.body)
        rest = _STATIC.format(folder=files, host=HOST, port=static_port)
        static = stack.enter_context(nginx("nginx-static", rest, folder=files, port=static_port, core=cores.server))
        bytes_of = {size: len(answer.body) for size, answer in answers.items()}
        by_file = {size: f"/{size}.jpg" for size in sizes}
        _check_same({size: ask(static_port, path) for size, path in by_file.items()}, answers)
        yield (
            Way(name=FILE, pid=static, port=static_port, targets=by_file, sizes=bytes_of),
            Way(name=HIT, pid=pid, port=port, targets=targets, sizes=bytes_of),
        )


def _check_same(files: dict[str, Whole], answers: dict[str, Whole]) -> None:
    for size, file in files.items():
        if (file.status, file.body) != (200, answers[size].body):
            raise WrongAnswer(f"{size}: the file is not the answer: {file.status}, {len(file.body)} bytes")


def measure_proxy(*, sizes: Sequence[str], connections: Sequence[int], rounds: int, seconds: int) -> Findings:
    for there, sentence in ((wrk.installed(), wrk.MISSING), (installed(), MISSING)):
        if not there:
            raise RuntimeError(sentence)
    cores, shuffle = choose_cores(), random.Random(1)
    turns: list[Turn] = []
    with on_core(cores.load), ways(sizes, cores) as made:
        for number in range(1, rounds + 1):
            for size in sizes:
                for count in connections:
                    turns += [
                        turn(way, size, connections=count, seconds=seconds, number=number, core=cores.server)
                        for way in shuffle.sample(made, len(made))
                    ]
            print(f"round {number} of {rounds}", file=sys.stderr, flush=True)
        headers = {way.name: len(ask(way.port, way.targets[sizes[0]]).headers) for way in made}
        table = table_of(turns, [FILE, HIT], made[0].sizes, bar=FILE)
    return findings(
        "Hits in nginx",
        cores,
        bars=bars_of(turns, bar=FILE, wanted=BAR, who=(HIT,)),
        tables=[table],
        notes=(
            (
                "nginx/imgserve.conf and upstream.conf with other ports and folders; both nginxes with one worker on "
                "one core, imgserve behind the first on the same one (asked once in 10 seconds), logs on, files of the "
                "cache and static ones by sendfile"
            ),
            f"headers of an answer: {headers[FILE]} of the file, {headers[HIT]} of the picture",
            f"{rounds} rounds of turns of {seconds} s by wrk (one thread)",
            foreign_note(turns),
        ),
        data=turns,
    )


ALL_SIZES: Final = tuple(SIZES)
