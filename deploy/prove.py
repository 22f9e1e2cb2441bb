"""The proof of the Dockerfile without Docker: its steps in chroots of a fresh Debian, then requests to the server.

What stands for the base image python:3.11-slim-bookworm is Debian bookworm by debootstrap (minbase) with Debian's own
Python 3.11 behind /usr/local/bin/python. How this machine reaches Debian's packages and PyPI (apt's sources, pip's
configuration, certificates) is copied into the root for the time of the build.
"""
# ruff: noqa: S603 - it starts programs of the system, in roots that it made itself

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Final

from deploy.dockerfile import Instruction, Mistake, Stage, ignored, parse, read_patterns
from deploy.roots import (
    PATH,
    SUITE,
    Failed,
    assigned,
    check,
    copy_root,
    give_access,
    make_base,
    mounted,
    remove,
    run,
    say,
    size_mb,
)  # fmt: skip
from imgserve.sign import UrlSigner

ROOT: Final = Path(__file__).parent.parent
#: Python's and pip's own names for the same, and those of proxies.
ACCESS_VARIABLES: Final = re.compile(r"(?i:(https?|no|all)_proxy)|PIP_(?!FIND_LINKS)\w+|SSL_CERT_\w+|UV_\w*INDEX\w*")

START_S: Final = 30
STOP_S: Final = 30
ASK_S: Final = 20

SVG: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="200"><rect width="400" height="200" fill="#fff"/>'
    '<text x="20" y="120" font-size="90" font-family="DejaVu Sans">Text</text></svg>'
)


# Building


def build(stages: list[Stage], folder: Path, base: Path) -> Path:
    """Carry out every stage; give the root of the last one."""
    roots: dict[str, Path] = {}
    access = {name: value for name, value in os.environ.items() if ACCESS_VARIABLES.fullmatch(name)}
    last = base
    for number, stage in enumerate(stages):
        last = folder / (stage.name or f"stage{number}")
        last.mkdir()
        copy_root(base, last)
        give_access(last)
        roots[stage.name] = last
        environment: dict[str, str] = {}
        cwd = "/"
        for one in stage.instructions:
            began = time.monotonic()
            if one.name == "ENV":
                environment |= one.pairs()
            elif one.name == "WORKDIR":
                cwd = one.text
                (last / cwd.strip("/")).mkdir(parents=True, exist_ok=True)
            elif one.name == "COPY":
                copy(one, last / cwd.strip("/"), last, roots)
            elif one.name == "RUN":
                run(last, ["/bin/sh", "-c", one.text], {**access, **environment}, cwd=cwd)
            else:
                continue
            say(f"  {time.monotonic() - began:6.1f} s  {one.name} {one.text[:90]}")
    return last


def copy(one: Instruction, cwd: Path, root: Path, roots: Mapping[str, Path]) -> None:
    """Copy as Docker does: a directory's contents, out of the context without what .dockerignore names."""
    *sources, to = one.words()
    target = root / to.strip("/") if to.startswith("/") else cwd / to
    patterns = [] if "from" in one.options else read_patterns(ROOT / ".dockerignore")
    origin = roots[one.options["from"]] if "from" in one.options else ROOT

    def left_out(folder: str, names: list[str]) -> list[str]:
        inside = Path(folder).relative_to(origin).as_posix()
        return [name for name in names if ignored(f"{inside}/{name}", patterns)]

    for name in sources:
        source = origin / name.strip("/")
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, ignore=left_out if patterns else None)
        elif ignored(name, patterns):
            raise Mistake(f"line {one.line}: {name} is kept out by .dockerignore")
        else:
            target.mkdir(parents=True, exist_ok=True) if to.endswith("/") else target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)


# Running


@dataclass(frozen=True)
class Container:
    """The finished root, run as Docker would: the image's user, its environment and commands, a read-only root."""

    root: Path
    stage: Stage
    settings: Mapping[str, str]

    def command(self, words: list[str]) -> list[str]:
        user = self.stage.last("USER").text
        environment = {"PATH": PATH, **self.stage.environment(), **self.settings}
        cwd = self.stage.last("WORKDIR").text
        inner = ["env", "-i", f"--chdir={cwd}", *assigned(environment), *words]
        uid, gid = user.split(":")
        # The user, and no way back to more rights: as with cap_drop and no-new-privileges.
        rights = [f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
        return ["chroot", str(self.root), "setpriv", *rights, "--no-new-privs", *inner]

    def entry(self, *arguments: str) -> list[str]:
        return self.command([*self.stage.last("ENTRYPOINT").words(), *arguments])

    def run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, capture_output=True, text=True, timeout=ASK_S, check=False)


def read_only(root: Path, volume: str) -> contextlib.AbstractContextManager[None]:
    """Mount a root as compose does: read-only, but for /tmp, /dev/shm and the volume."""
    cache = volume.strip("/")
    tmpfs = ["-t", "tmpfs", "-o", "mode=1777,size=64m", "tmpfs"]
    return mounted(
        root,
        (["--bind", str(root)], ""),
        (["-t", "proc", "proc"], "proc"),
        (["--bind", str(root / cache)], cache),
        (tmpfs, "tmp"),
        (tmpfs, "dev/shm"),
        (["-o", "remount,bind,ro"], ""),
    )


def prove_running(root: Path, stage: Stage) -> None:
    volume = stage.last("VOLUME").text
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (root / "samples").mkdir()
    (root / "samples/text.svg").write_text(SVG)
    (root / "samples/blank.svg").write_text(SVG.replace("Text", ""))
    with read_only(root, volume):
        bare = Container(root, stage, {})
        keys = dict(line.split("=", 1) for line in bare.run(bare.entry("keygen")).stdout.split())
        check(set(keys) == {"IMGSERVE_KEY", "IMGSERVE_SALT"}, "`keygen` of the image makes a key and a salt")
        refused = bare.run(bare.entry("serve"))
        check(refused.returncode == 2, "without a key it does not start")
        # The image listens on all addresses of its container; here that would be the machine.
        where = {"IMGSERVE_BIND": f"127.0.0.1:{port}", "IMGSERVE_LOCAL_FILESYSTEM_ROOT": "/samples"}
        given = Container(root, stage, {**keys, **where})
        serve(given, port, UrlSigner(keys["IMGSERVE_KEY"], keys["IMGSERVE_SALT"]))


def serve(container: Container, port: int, signer: UrlSigner) -> None:
    """Start it by its own CMD, ask, look at its processes, stop it by its own signal."""
    stage = container.stage
    log = container.root.parent / "serve.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            container.entry(*stage.last("CMD").words()), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        began = time.monotonic()
        healthy = container.command(stage.last("HEALTHCHECK").words())
        while container.run(healthy).returncode and server.poll() is None and time.monotonic() - began < START_S:
            time.sleep(0.1)
        check(
            container.run(healthy).returncode == 0,
            f"the health check passes {time.monotonic() - began:.1f} s after start",
        )
        check_pictures(port, signer)
        check_processes(server.pid, container)
    except Failed:
        say(log.read_text()[-4000:])
        raise
    finally:
        # STOPSIGNAL, to the server alone as Docker sends it.
        server.terminate()
        try:
            code = server.wait(STOP_S)
        finally:
            server.kill()
    said = log.read_text()
    check(code == 0, "SIGTERM ends it with 0")
    check(container.run(healthy).returncode == 1, "the health check then fails")
    bad = [
        line
        for line in said.splitlines()
        if re.search(r"Traceback|(?i:fontconfig|cannot be preloaded)|Warning:|\"level\": \"error", line)
    ]
    check(not bad, f"its log has no complaint {bad[:3] or ''}")


def check_pictures(port: int, signer: UrlSigner) -> None:
    for kind, magic in (("png", b"\x89PNG"), ("webp", b"RIFF"), ("avif", b"\0\0\0"), ("jpeg", b"\xff\xd8")):
        answer, body = get(port, signer.url("local:///text.svg", width=200, format=kind))
        check(
            answer.status == 200 and body.startswith(magic), f"a signed URL gives a picture: {kind}, {len(body)} bytes"
        )
    sizes = [len(get(port, signer.url(f"local:///{name}.svg", format="png"))[1]) for name in ("text", "blank")]
    check(sizes[0] > 2 * sizes[1], f"text in SVG is drawn ({sizes[0]} bytes with it, {sizes[1]} without)")
    answer, _ = get(port, "/" + "x" * 43 + "/width:10/plain/local:///text.svg")
    check(answer.status == 403, "a forged URL gives none")


def get(port: int, target: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=ASK_S)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def check_processes(pid: int, container: Container) -> None:
    user = container.stage.last("USER").text.partition(":")[0]
    pids = [pid, *(int(one.name) for one in Path("/proc").glob("[0-9]*") if _parent(one) == pid)]
    owners = {_status(Path(f"/proc/{one}"), "Uid").split()[1] for one in pids}
    check(owners == {user}, f"its {len(pids)} processes run as user {user}")
    capable = {_status(Path(f"/proc/{one}"), name) for one in pids for name in ("CapEff", "CapBnd")}
    check(capable == {"0000000000000000"}, "they have no capabilities")
    maps = [Path(f"/proc/{one}/maps").read_text() for one in pids]
    check(all("libjemalloc" in text for text in maps), "jemalloc is in all of them")
    cache = container.root / container.stage.last("VOLUME").text.strip("/")
    files = [file for file in cache.rglob("*") if file.is_file()]
    check(
        bool(files) and {str(file.stat().st_uid) for file in files} == {user},
        f"the cache has {len(files)} files of that user",
    )


def _status(process: Path, name: str) -> str:
    try:
        found = re.search(rf"^{name}:\s+(.+)$", (process / "status").read_text(), re.MULTILINE)
    except OSError:
        return ""
    return found[1] if found else ""


def _parent(process: Path) -> int:
    return int(_status(process, "PPid") or 0)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--keep", action="store_true", help="leave the roots in TMPDIR")
    keep: bool = arguments.parse_args().keep
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="imgserve-image-"))
    folder.chmod(0o755)
    try:
        stages = parse((ROOT / "Dockerfile").read_text("utf-8"))
        say(f"Debian {SUITE} in place of {stages[-1].image}")
        base = folder / "base"
        make_base(base)
        say(f"  {time.monotonic() - began:6.1f} s  {size_mb(base)} MB")
        say("The steps of the Dockerfile")
        final = build(stages, folder, base)
        say(f"  {size_mb(final)} MB, {size_mb(final) - size_mb(base)} MB over the base")
        say("The server")
        prove_running(final, stages[-1])
    except (Failed, Mistake) as wrong:
        say(f"FAILED: {wrong}")
        return 1
    finally:
        if keep:
            say(f"The roots are in {folder}")
        else:
            remove(folder)
    say(f"The Dockerfile holds; {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
