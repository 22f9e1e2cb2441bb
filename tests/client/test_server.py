"""The client against a whole server with its worker: what it orders is made, and what it signs is served."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import pytest
import pyvips

from imgserve.client import Client, image_props, srcset, token
from tests.client.conftest import API_KEY, SIZE
from tests.engine.pictures import plain, png
from tests.running import KEY, SALT, Running


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[Client]:
    with Client(server.url, api_key=API_KEY, key=KEY, salt=SALT) as made:
        yield made


def fetched(server: Running, url: str) -> pyvips.Image:
    answer, body = server.get(url)
    assert answer.status == 200, body
    assert answer.headers["x-imgserve-degraded"] is None
    return pyvips.Image.new_from_buffer(body, "")


def test_an_order_is_waited_for_and_its_result_is_served_at_once(server: Running, client: Client) -> None:
    states: list[str] = []
    [ordered] = client.submit("local:///disc.png", "remove_background:1", "w:120")
    job = client.wait(ordered.id, timeout_s=60, on_event=lambda seen: states.append(seen.state))
    assert (job.done, job.ended, states[-1]) == (True, True, "done"), job.error
    assert job.url is not None
    image = fetched(server, urljoin(server.url, job.url))
    assert (image.width, image.hasalpha()) == (120, True)
    assert client.list(state="done").jobs[0].id == job.id


def test_a_picture_that_is_sent_comes_back_finished(server: Running, client: Client) -> None:
    picture = png(plain(60, 40, [200, 20, 30]))
    tile: dict[str, Any] = {"tile": {"presets": [], "options": ["w:30"]}}
    done = client.process(picture, presets=[], outputs=tile, output="base64", format="webp")
    assert (done.ai, done.reason, list(done.outputs)) == ("none", None, ["tile"])
    made = done.outputs["tile"]
    assert (made.type, made.width, made.height, made.size_bytes) == ("image/webp", 30, 20, len(made.data or b""))
    assert made.url is not None
    assert fetched(server, urljoin(server.url, made.url)).width == 30
    again = client.process(source=done.source, presets=[], outputs=tile)
    assert (again.source, again.outputs["tile"].data) == (done.source, None)


def test_facts_of_a_picture(client: Client) -> None:
    facts = client.info("local:///disc.png", exif=False)
    assert (facts["width"], facts["height"], facts["format"]) == (*SIZE, "png")


def test_what_is_warmed_is_purged(client: Client) -> None:
    warmed = client.warm("local:///warm.png", widths=[31, 32], formats=["png"])
    assert (warmed.state, warmed.made, warmed.failed) == ("done", 2, 0)
    assert [one["path"] for one in warmed.results] == [
        f"/w:{width}/f:png/plain/local:///warm.png" for width in (31, 32)
    ]
    assert client.purge(source="local:///warm.png").entries["disk"] >= 2


@pytest.mark.parametrize("mode", ["token", "urls"])
@pytest.mark.parametrize(
    ("options", "named", "ratio"),
    [
        ((), {}, 2),
        (("rs:fill:160:90",), {}, 16 / 9),
        ((), {"width": 300, "height": 299}, 300 / 299),
        (("rt:force",), {"width": 1111, "height": 700}, 1111 / 700),
    ],
)
def test_each_picture_of_a_srcset_has_its_width_and_the_ratio(
    server: Running, client: Client, mode: Any, options: tuple[str, ...], named: dict[str, Any], ratio: float
) -> None:
    widths = [33, 100, 200, 333]
    text = srcset(client.signer, "local:///wide.png", *options, widths=widths, quality=80, mode=mode, **named)
    for entry, width in zip(text.split(", "), widths, strict=True):
        url, told = entry.split(" ")
        image = fetched(server, url)
        assert (told, image.width) == (f"{width}w", width)
        assert abs(image.height - width / ratio) <= 1


def test_a_token_grants_widths_and_qualities_and_nothing_else(server: Running, client: Client) -> None:
    signed = token(client.signer, "local:///wide.png", "format:jpeg", widths=[40, 80], qualities=[75, (50, 90)])
    assert fetched(server, signed).width == 80
    assert fetched(server, f"{signed}?w=40&q=51").width == 40
    for picked in ("w=81", "w=80&q=49"):
        assert server.get(f"{signed}?{picked}")[0].status == 400


def test_a_picture_with_a_room_has_one_for_dense_screens(server: Running, client: Client) -> None:
    props = image_props(client.signer, "local:///wide.png", width=100, height=100, alt="Wide")
    urls = re.findall(r"(\S+) [12]x", str(props["srcset"]))
    assert [(image.width, image.height) for image in (fetched(server, url) for url in urls)] == [(100, 100), (200, 200)]
    assert (props["src"], props["alt"], "sizes" in props) == (urls[1], "Wide", False)
