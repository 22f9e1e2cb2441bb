"""Clients written for imgproxy sign URLs that this server answers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvips
from imgproxy import ImgProxy

from tests.running import KEY, SALT, Running, running_server

NODE = Path(__file__).parent / "node"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("pictures")
    photo = (pyvips.Image.black(400, 300, bands=3) + pyvips.Image.xyz(400, 300)[0] * 0.6).cast("uchar")
    photo.copy(interpretation="srgb").jpegsave(str(folder / "photo.jpg"))
    settings = {
        "IMGSERVE_KEY": KEY,
        "IMGSERVE_SALT": SALT,
        "IMGSERVE_WORKERS": "1",
        "IMGSERVE_LOCAL_FILESYSTEM_ROOT": str(folder),
    }
    with running_server(folder, settings) as running:
        yield running


def picture(server: Running, url: str) -> tuple[str, int, int]:
    answer, body = server.get(url)
    assert answer.status == 200, body
    image = pyvips.Image.new_from_buffer(body, "")
    return answer.headers["Content-Type"], image.width, image.height


def npm_url(server: Running, **request: Any) -> str:
    text = json.dumps({"endpoint": server.url, "key": KEY, "salt": SALT, **request})
    done = subprocess.run(["node", "sign.mjs", text], cwd=NODE, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_npm_client_with_a_plain_source(server: Running) -> None:
    url = npm_url(
        server,
        url={"value": "local:///photo.jpg", "displayAs": "plain"},
        options={"resizing_type": "fill", "width": 120, "height": 80, "gravity": {"type": "no"}, "format": "webp"},
    )
    assert picture(server, url) == ("image/webp", 120, 80)


def test_the_npm_client_with_an_encoded_source_and_nested_arguments(server: Running) -> None:
    url = npm_url(
        server,
        url="local:///photo.jpg",
        options={
            "resize": {"resizing_type": "fit", "width": 200, "height": 200, "extend": {"extend": 1}},
            "background": "ffddee",
            "blur": 2,
            "cachebuster": "v1",
        },
    )
    assert picture(server, url) == ("image/jpeg", 200, 200)


def test_the_npm_client_with_presets(server: Running) -> None:
    url = npm_url(server, url="local:///photo.jpg", options={"preset": ["grid"]})
    assert picture(server, url) == ("image/jpeg", 600, 400)


@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        ((), {"width": 120, "height": 80, "resizing_type": "fill"}, ("image/jpeg", 120, 80)),
        (("rot:90", "q:60"), {"width": 90, "extension": "png"}, ("image/png", 90, 120)),
        # It writes its own resize after what it is given, so of a preset only the rest has an effect.
        (("preset:grid",), {"width": 90, "height": 90, "resizing_type": "fill"}, ("image/jpeg", 90, 90)),
    ],
)
def test_the_pypi_client(
    server: Running, arguments: tuple[str, ...], options: dict[str, Any], expected: tuple[str, int, int]
) -> None:
    url = ImgProxy("local:///photo.jpg", proxy_host=server.url, key=KEY, salt=SALT, **options)(*arguments)
    assert picture(server, url) == expected


def test_another_key_makes_urls_that_are_refused(server: Running) -> None:
    url = str(ImgProxy("local:///photo.jpg", proxy_host=server.url, key="00" * 32, salt=SALT, width=10))
    assert server.get(url)[0].status == 403
