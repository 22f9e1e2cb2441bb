"""The servers measured: how each is started, and the request that gives it the job."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from bench.cases import HEIGHT, IMGPROXYS_SETTINGS, WIDTH, Case
from bench.load import HOST
from bench.peers.install import peer_named
from bench.workshop import PHOTO_NAME, REPOSITORY, WORKSHOP, free_port

#: This server with imgproxy's encoder parameters, which the raw loop has, too.
OURS: Final = "imgserve"
#: This server as it comes.
DEFAULTS: Final = "imgserve, its defaults"
#: The first again, with one source that it downloaded before.
CACHED: Final = "imgserve, source cached"
RAW: Final = "raw loop"
FLOOR: Final = "floor"


@dataclass(frozen=True, slots=True)
class Contender:
    """A server under test; `target` gives the request target of the n-th request, never the same twice where it counts.

    `source` is the plain name of the photo in the served folder, or its http URL.
    """

    name: str
    port: int
    command: tuple[str, ...]
    folder: Path
    target: Callable[[Case, str, int], str]
    env: Mapping[str, str] = field(default_factory=dict)
    #: What of the job it cannot be told to do alike.
    differs: tuple[str, ...] = ()


def _numbered(source: str, n: int) -> str:
    """An http source gets a query that makes it another one, so that nobody may answer it from memory."""
    return f"{source}?n={n}" if source.startswith("http") else source


def _another(source: str, n: int) -> tuple[str, str]:
    """Make it another source for our server, which drops what follows the question mark of a local one."""
    return f"{source}?n={n}", ""


def _same(source: str, n: int) -> tuple[str, str]:
    """Leave the source as it is, and add an option that changes the key and nothing else: a photo covers its colour."""
    return source, f"/bg:{n:06x}"


def imgserve(
    folder: Path,
    *,
    name: str = OURS,
    extra: Mapping[str, str] = IMGPROXYS_SETTINGS,
    renewed: Callable[[str, int], tuple[str, str]] = _another,
) -> Contender:
    """This checkout, one worker process, caches off, no signatures; `extra` are further settings.

    `renewed` gives each request a key of its own, or those under way together would be made once: a cache buster is
    not in the key. By its source, as the server remembers what it read of options, and its clients have many photos.
    """
    port = free_port()

    def target(case: Case, source: str, n: int) -> str:
        renamed, option = renewed(source if source.startswith("http") else f"local:///{source}", n)
        where = quote(renamed, safe=":/")
        return f"/unsafe/rs:fill:{WIDTH}:{HEIGHT}/g:ce{option}/f:{case.format}/plain/{where}"

    return Contender(
        name=name,
        port=port,
        command=(sys.executable, "-m", "imgserve", "serve"),
        folder=WORKSHOP,
        target=target,
        env={
            "PYTHONPATH": str(REPOSITORY),
            "IMGSERVE_BIND": f"{HOST}:{port}",
            "IMGSERVE_ALLOW_UNSIGNED": "true",
            "IMGSERVE_ALLOW_LOOPBACK_SOURCE_ADDRESSES": "true",
            "IMGSERVE_LOCAL_FILESYSTEM_ROOT": str(folder),
            "IMGSERVE_WORKERS": "1",
            "IMGSERVE_CACHE": "off",
            **extra,
        },
    )


_THUMBOR_CONFIGURATION: Final = """\
LOADER = {loader!r}
FILE_LOADER_ROOT_PATH = {folder!r}
STORAGE = "thumbor.storages.no_storage"
RESULT_STORAGE = None
ALLOW_UNSAFE_URL = True
QUALITY = 80
WEBP_QUALITY = 79
AVIF_QUALITY = 63
AVIF_SPEED = 8
PNG_COMPRESSION_LEVEL = 6
PROGRESSIVE_JPEG = False
HTTP_LOADER_DEFAULT_USER_AGENT = "thumbor"
"""


def thumbor(folder: Path, *, over_http: bool) -> Contender:
    port = free_port()
    peer = peer_named("thumbor")
    loader = "thumbor.loaders.http_loader" if over_http else "thumbor.loaders.file_loader"
    configuration = WORKSHOP / "thumbor.conf"
    configuration.write_text(_THUMBOR_CONFIGURATION.format(loader=loader, folder=str(folder)))

    def target(case: Case, source: str, n: int) -> str:
        filters = f"filters:format({case.format})"
        if case.quality is not None:
            filters += f":quality({case.quality})"
        return f"/unsafe/{WIDTH}x{HEIGHT}/{filters}/{quote(_numbered(source, n), safe='')}"

    return Contender(
        name="thumbor",
        port=port,
        command=(
            str(peer.folder / "venv/bin/thumbor"),
            "--conf",
            str(configuration),
            "--ip",
            HOST,
            "--port",
            str(port),
            "--processes",
            "1",
            "--log-level",
            "error",
        ),
        folder=WORKSHOP,
        target=target,
        differs=(
            "thumbor: Pillow, its default engine; its PNG filter cannot be set; AVIF by libavif's aom, same speed",
        ),
    )


def ipx(folder: Path) -> Contender:
    port = free_port()
    peer = peer_named("ipx")
    script = peer.folder / "ipx.mjs"
    script.write_text((REPOSITORY / "bench/peers/ipx.mjs").read_text())

    def target(case: Case, source: str, n: int) -> str:
        modifiers = f"s_{WIDTH}x{HEIGHT},f_{case.format}"
        if case.quality is not None:
            modifiers += f",q_{case.quality}"
        return f"/{modifiers}/{quote(_numbered(source, n), safe='')}"

    return Contender(
        name="ipx",
        port=port,
        command=("node", script.name, str(port), str(folder)),
        folder=peer.folder,
        target=target,
        differs=(
            "ipx: encoder efforts set behind its interface (sharpOptions), sharp's operation cache off",
            "ipx: at the same Q its AVIF (libvips 8.17) has fewer bytes and lower quality, as ours with tune=ssim",
        ),
    )


def floor(folder: Path) -> Contender:
    port = free_port()
    return Contender(
        name=FLOOR,
        port=port,
        command=(sys.executable, "-m", "bench.floor", str(folder / PHOTO_NAME), str(port)),
        folder=REPOSITORY,
        target=lambda case, _source, _n: f"/{case.format}",
        differs=("floor: a bare ASGI app under uvicorn around the raw loop, source always from the file system",),
    )


def source_cached(folder: Path, caches: Path) -> Contender:
    """Our server with its source cache, and with results in memory only, where every key is new."""
    extra = {**IMGPROXYS_SETTINGS, "IMGSERVE_CACHE": "memory", "IMGSERVE_CACHE_PATH": str(caches)}
    return imgserve(folder, name=CACHED, extra=extra, renewed=_same)


def choose(
    peers: tuple[str, ...], *, folder: Path, over_http: bool, defaults: bool = False, cached: Path | None = None
) -> tuple[Contender, ...]:
    """Our server, the floor and the peers named; `folder` holds the photo.

    With `defaults` our server once more as it comes, with `cached` once more with its source kept in that folder.
    """
    makers: dict[str, Callable[[], Contender]] = {
        "thumbor": lambda: thumbor(folder, over_http=over_http),
        "ipx": lambda: ipx(folder),
    }
    own = [imgserve(folder)]
    if defaults:
        own.append(imgserve(folder, name=DEFAULTS, extra={}))
    if cached is not None:
        own.append(source_cached(folder, cached))
    return (*own, floor(folder), *(makers[peer_named(name).name]() for name in peers))


def photo_source(origin_port: int | None) -> str:
    """Name the photo as a contender is asked for it: by file name, or by URL on the origin's port."""
    return PHOTO_NAME if origin_port is None else f"http://{HOST}:{origin_port}/{PHOTO_NAME}"
