"""The Next.js example in a real browser, in front of a real server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pyvips
from playwright.sync_api import Browser, Route, expect

from imgserve.cli.samples.pictures import draw_missing
from tests.examples.shop import (
    API_KEY,
    EXAMPLE,
    NODE,
    WEBHOOK_SECRET,
    Visit,
    ask,
    built,
    copied,
    server_settings,
    started,
    visiting,
)
from tests.running import KEY, SALT, clean_environment, command, running_server
from tests.web.browser import chromium

ROOT = Path(__file__).parent.parent.parent
PAGES = ("/", "/products/harbour-mug", "/products/beacon-print", "/products/aperture-sticker")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    list(draw_missing(folder))
    return folder


@pytest.fixture(scope="module")
def site(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """URLs of the shop and of its image server."""
    folder = tmp_path_factory.mktemp("shop")
    with (
        running_server(folder, server_settings(folder, samples)) as server,
        started(server.url, folder / "next.log") as shop,
    ):
        yield shop, server.url


@pytest.fixture
def visit(browser: Browser, site: tuple[str, str]) -> Iterator[Visit]:
    with visiting(browser, *site) as made:
        yield made


def real_width(visit: Visit, url: str) -> int:
    """The width of the picture in pixels; a page sees it in its own unit only."""
    answer = visit.page.request.get(url, headers={"Accept": "image/webp"})
    width: int = pyvips.Image.new_from_buffer(answer.body(), "").width
    return width


def test_every_picture_is_signed_and_loads_and_nothing_moves(visit: Visit) -> None:
    for path in PAGES:
        visit.open(path)
        shown = visit.settled()
        assert shown
        assert all(str(one["url"]).startswith(visit.images) for one in shown), shown
        assert all(one["natural"] and one["alt"] is not None for one in shown), shown
        assert visit.page.evaluate(_SHIFTS) == 0, path
    assert {one.status for one in visit.pictures} == {200}
    assert {one.headers["content-type"] for one in visit.pictures} == {"image/webp"}


_SHIFTS = """() => new Promise((done) => {
  new PerformanceObserver((list) => done(list.getEntries().reduce((sum, one) => sum + one.value, 0)))
    .observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => setTimeout(() => done(0), 100));
})"""


@pytest.mark.parametrize("dpr", [1, 2])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_browser_gets_the_width_that_next_image_means(
    browser: Browser, site: tuple[str, str], width: int, dpr: int
) -> None:
    with visiting(browser, *site, width=width, dpr=dpr) as visit:
        for path in ("/", "/products/beacon-print"):
            visit.open(path)
            # Of one picture in two places, a browser takes the larger one that it has already.
            fluid = {one["url"].partition("?")[0]: one for one in reversed(visit.settled()) if _widths(one)}
            assert len(fluid) >= 5
            for one in fluid.values():
                _check_width(visit, one, dpr)


def _widths(picture: dict[str, Any]) -> dict[int, str]:
    """The candidates of a srcset by their width; none where it names densities."""
    return {int(says[:-1]): url for url, says in picture["candidates"] if says.endswith("w")}


def _check_width(visit: Visit, picture: dict[str, Any], dpr: int) -> None:
    widths = _widths(picture)
    real = real_width(visit, picture["url"])
    # Widths beyond the largest that is granted have its URL, too, so one URL may be several candidates.
    picks = [width for width, url in widths.items() if url == picture["url"]]
    # What a source does not have is not made up: then it is as wide as the largest one. Rounding may cost a pixel.
    assert picks[0] - 1 <= real <= picks[0] or real == real_width(visit, widths[max(widths)])
    assert any(_fits(picture, picked, real, dpr) for picked in picks), picture


def _fits(picture: dict[str, Any], picked: int, real: int, dpr: int) -> bool:
    # The natural width of a picture is in the unit that makes the picked width as wide as `sizes` says.
    said = picture["natural"] * picked / real
    is_true = picture["shown"] - 2 <= said <= picture["shown"] * 1.25
    widths = _widths(picture)
    return is_true and picked == min((one for one in widths if one >= said * dpr - 1), default=max(widths))


def test_pictures_load_after_navigation_without_a_new_page(visit: Visit) -> None:
    page = visit.page
    visit.open()
    page.evaluate("window.isTheSamePage = true")
    page.get_by_role("link", name=re.compile("^Beacon")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Beacon")
    assert len(visit.settled()) >= 7
    large = page.locator(".gallery-large img")
    before = large.evaluate("one => one.currentSrc")
    page.get_by_role("button", name="The lit lamp room of the lighthouse").click()
    expect(page.get_by_role("button", pressed=True)).to_have_accessible_name("The lit lamp room of the lighthouse")
    large.evaluate("one => one.decode()")
    assert large.evaluate("one => one.currentSrc") != before
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("For mornings that take their time.")
    visit.settled()
    assert page.evaluate("window.isTheSamePage")
    assert {one.status for one in visit.pictures} == {200}


def test_a_blurred_picture_is_shown_until_the_real_one_is_there(visit: Visit) -> None:
    held: list[Route] = []
    visit.page.route(f"{visit.images}/**", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks its handler
    visit.begin("/products/stillwater-print")
    large = visit.page.locator(".gallery-large img")
    expect(large).to_have_css("background-image", re.compile("data:image/webp;base64"))
    box = large.bounding_box()
    visit.page.route(f"{visit.images}/**", lambda route: route.continue_())
    for route in held:
        route.continue_()
    expect(large).to_have_css("background-image", "none")
    # Heights of pictures are whole pixels, so their ratio is not quite the page's.
    assert large.bounding_box() == pytest.approx(box, abs=0.5)


def test_the_plain_hero_becomes_a_cut_out_when_a_worker_has_made_it(
    browser: Browser, samples: Path, tmp_path: Path
) -> None:
    settings = {**server_settings(tmp_path, samples), "IMGSERVE_QUEUE_WORKERS": "0"}
    with (
        running_server(tmp_path, settings) as server,
        started(server.url, tmp_path / "next.log") as shop,
        visiting(browser, shop, server.url) as visit,
    ):
        visit.begin()
        hero = visit.page.locator(".hero-picture")
        expect(hero).to_have_attribute("aria-busy", "true")
        plain = hero.locator("img")
        plain.evaluate("one => one.decode()")
        assert not _is_see_through(visit, plain.evaluate("one => one.currentSrc"))
        box = plain.bounding_box()
        with _worker(tmp_path, settings):
            cut_out = visit.page.locator(".hero-picture.cut-out img")
            cut_out.evaluate("one => one.decode()")
        assert _is_see_through(visit, cut_out.evaluate("one => one.currentSrc"))
        assert cut_out.bounding_box() == pytest.approx(box, abs=0.5)
        # From now on it is there at once.
        assert "remove_background" in ask(shop)[1]
        visit.page.reload()
        expect(visit.page.locator(".hero-picture")).to_have_class("hero-picture cut-out")


def _is_see_through(visit: Visit, url: str) -> bool:
    response = next(one for one in visit.pictures if one.url == url and one.ok)
    image = pyvips.Image.new_from_buffer(response.body(), "")
    return image.hasalpha() and image(2, 2)[3] == 0


@contextmanager
def _worker(folder: Path, settings: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        command("worker", "--workers", "1"), cwd=folder, env=clean_environment(**settings, PYTHONPATH=str(ROOT)),
        stdout=subprocess.DEVNULL, stderr=sys.stderr,
    )  # fmt: skip
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _spellings() -> list[bytes]:
    """Every way in which a secret may stand in a file."""
    spelled = [API_KEY.encode(), WEBHOOK_SECRET.encode()]
    for text in (KEY, SALT):
        raw = bytes.fromhex(text)
        spelled += [text.encode(), text.upper().encode(), raw]
        # Base64 of a text depends on where it begins: three beginnings, without the characters that neighbours change.
        for secret in (raw, text.encode()):
            for shift in range(3):
                inner = base64.b64encode(b"\0" * shift + secret)[4:-4]
                spelled += [inner, inner.replace(b"+", b"-").replace(b"/", b"_")]
    return spelled


def _leaks(text: bytes) -> bool:
    return any(secret in text for secret in _spellings())


def _leaking(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and _leaks(path.read_bytes())]


def test_setup_tells_at_once_that_node_js_is_too_old() -> None:
    older = 'data:text/javascript,Object.defineProperty(process, "versions", { value: { node: "18.20.4" } })'
    done = subprocess.run(
        [NODE, "--import", older, "setup.mjs"], cwd=EXAMPLE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Node.js 20.9 or newer is needed, for Next.js 16: this is 18.20.4.\n")


def test_no_secret_is_in_what_browsers_get(site: tuple[str, str], tmp_path: Path) -> None:
    shop, _ = site
    assert _leaking(built() / "static") == []
    for path in PAGES:
        for headers in ({}, {"RSC": "1"}):
            status, text = ask(shop + path, headers=headers)
            if status == 307:  # for the payload of a navigation, the URL has a mark of the headers
                status, text = ask(shop + text, headers=headers)
            assert status == 200
            assert "choose:" in text
            assert not _leaks(text.encode())
    # The search would find one.
    static = copied(built(), tmp_path)
    script = max(static.rglob("*.js"), key=lambda path: path.stat().st_size)
    clean = script.read_bytes()
    for planted in (KEY.encode(), bytes.fromhex(SALT), base64.b64encode(b"ab" + bytes.fromhex(KEY)), API_KEY.encode()):
        script.write_bytes(clean + planted + clean)
        assert _leaking(static) == [script]


def test_what_the_signature_does_not_grant_is_refused(visit: Visit) -> None:
    visit.open("/products/beacon-print")
    visit.settled()
    picked = visit.page.locator(".gallery-large img").evaluate("one => one.currentSrc")
    assert "?w=" in picked
    token = picked.partition("?")[0]
    assert ask(picked)[0] == 200
    assert ask(f"{token}?w=4097")[0] == 400
    assert ask(f"{token}?w=641")[0] == 400
    assert ask(token.replace("choose:w:", "choose:w:4097:") + "?w=4097")[0] == 403
    card = visit.page.locator(".card img").first.evaluate("one => one.currentSrc")
    assert "?dpr=" in card
    assert ask(re.sub("dpr=.*", "dpr=99", card))[0] == 400


def test_the_route_signs_for_known_pictures_and_widths_alone(site: tuple[str, str]) -> None:
    shop, images = site
    status, signed = ask(f"{shop}/img?src=local:///mug.jpg&w=1200")
    assert (status, signed.startswith(images)) == (307, True)
    assert ask(signed)[0] == 200
    assert ask(f"{shop}/img?src=local:///secret.jpg&w=1200")[0] == 403
    assert ask(f"{shop}/img?src=local:///mug.jpg&w=1201")[0] == 400


def _message(secret: str = WEBHOOK_SECRET, age_s: int = 0) -> tuple[bytes, dict[str, str]]:
    """A webhook as docs/api.md tells to sign it."""
    body = json.dumps({"type": "job.done", "timestamp": "2026-01-31T12:00:00.000Z", "data": {"id": "5c0f"}}).encode()
    stamp = str(int(time.time()) - age_s)
    digest = hmac.digest(secret.encode(), f"msg_1.{stamp}.".encode() + body, hashlib.sha256)
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return body, {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": signature}


def test_the_webhook_is_heard_only_if_its_signature_fits(site: tuple[str, str]) -> None:
    hook = f"{site[0]}/api/imgserve"
    body, headers = _message()
    assert ask(hook, "POST", body, headers)[0] == 204
    assert ask(hook, "POST", body + b" ", headers)[0] == 400
    assert ask(hook, "POST", *_message(secret="another"))[0] == 400
    assert ask(hook, "POST", *_message(age_s=3600))[0] == 400
    assert ask(hook, "POST", body)[0] == 400
