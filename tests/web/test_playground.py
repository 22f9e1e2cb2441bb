"""The playground in a real browser on a real server."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from imgserve.sign import UrlSigner
from tests.web.browser import API_KEY, ROOT, Console, chromium, served
from tests.web.conftest import KEY, SALT
from tests.web.playing import SETTINGS, SETTLED, A, playing, recipe


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("playground"), **SETTINGS) as url:
        yield url


@pytest.fixture
def playground(browser: Browser, server: str) -> Iterator[Console]:
    with playing(browser, server) as made:
        yield made


def snippet(page: Page, name: str = "URL") -> str:
    page.get_by_role("tab", name=name, exact=True).click()
    return page.locator("#snippet").inner_text()


def test_it_begins_with_a_picture_and_tells_of_it(playground: Console) -> None:
    page = playground.page
    playground.open()
    expect(page.locator("#facts .size")).to_contain_text("60 × 40")
    expect(page.get_by_role("button", name="a.jpg")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#facts .format")).to_contain_text("WebP")
    expect(page.locator("#facts .weight")).to_contain_text("% of")
    expect(page.locator("#facts .cache")).to_contain_text("from disk in")
    expect(page.locator("#news")).to_contain_text("Result: 60 by 40 pixels")
    expect(page.get_by_role("slider", name="Compare before and after")).to_be_visible()
    expect(page.locator("#happens li").first).to_contain_text("JPEG, 60 × 40")
    assert "options=" in page.url
    page.get_by_label("Browser reads").select_option("none")
    expect(page.locator("#facts .format")).to_contain_text("JPEG")


def test_a_link_has_the_recipe_and_no_more(playground: Console) -> None:
    page = playground.page
    playground.open(
        recipe(source=A, presets="grid,shadow", options={"width": 20, "gravity": "fp:0.2:0.8"}, client="none")
    )
    expect(page.locator("#facts .size")).to_contain_text("20 × ")
    expect(page.locator('[id="width.width"]')).to_have_value("20")
    expect(page.locator('[data-option="gravity"]')).to_have_class(re.compile("set"))
    assert page.locator("#presets [aria-pressed=true]").all_inner_texts() == ["1\ngrid", "2\nshadow"]
    before = page.url
    page.locator('[id="width.width"]').fill("30")
    expect(page.locator("#facts .size")).to_contain_text("30 × ")
    assert page.url != before
    page.goto(before)
    expect(page.locator('[id="width.width"]')).to_have_value("20")
    # What nobody knows any more is left out, and a link that was cut short is no end of it.
    playground.open(recipe(source=A, options={"nothing": 1, "width": {"width": 9, "depth": 3}}))
    expect(page.locator("#facts .size")).to_contain_text("9 × ")
    playground.open("#source=local:///a.jpg&options={%22width%22")
    expect(page.locator("#facts .size")).to_contain_text("60 × 40")


def test_presets_act_in_the_order_in_which_they_are_pressed(playground: Console) -> None:
    page = playground.page
    playground.open(recipe(source=A))
    page.get_by_role("button", name="shadow", exact=True).click()
    page.get_by_role("button", name="thumbnail", exact=True).click()
    expect(page.locator("#snippet")).to_contain_text("/preset:shadow:thumbnail/")
    expect(page.locator("#presets-on li")).to_have_count(2)
    expect(page.locator("#presets-on li").nth(1)).to_contain_text("A square of exactly 150x150")
    page.get_by_role("button", name="shadow", exact=True).click()
    expect(page.locator("#snippet")).to_contain_text("/preset:thumbnail/")


def test_a_late_answer_does_not_replace_a_later_one(playground: Console) -> None:
    page = playground.page
    playground.open(recipe(source=A, options={"width": 30}))
    expect(page.locator("#facts .size")).to_contain_text("30 × ")
    held: list[Any] = []
    page.route(re.compile("/width:21/"), lambda route: held.append(route))  # noqa: PLW0108 - playwright looks at it
    with page.expect_request(re.compile("/width:21/")):
        page.locator('[id="width.width"]').fill("21")
    # The one before is seen until the new one is there.
    expect(page.locator(".stage")).to_have_attribute("aria-busy", "true")
    expect(page.get_by_alt_text("Result")).to_be_visible()
    page.locator('[id="width.width"]').fill("22")
    expect(page.locator("#facts .size")).to_contain_text("22 × ")
    for route in held:
        route.abort()
    expect(page.locator(SETTLED).last).to_be_visible()
    expect(page.locator("#facts .size")).to_contain_text("22 × ")
    playground.complaints = [one for one in playground.complaints if "ERR_FAILED" not in one]


def test_pictures_stand_beside_each_other_where_their_shapes_differ_and_are_seen_pixel_by_pixel(
    playground: Console,
) -> None:
    page = playground.page
    playground.open(recipe(source=A, options={"resize": {"type": "fill", "width": 20, "height": 25}}))
    expect(page.get_by_role("button", name="Slider")).to_have_attribute("aria-disabled", "true")
    expect(page.get_by_alt_text("Original")).to_be_visible()
    page.get_by_role("button", name="Result", exact=True).click()
    expect(page.get_by_alt_text("Original")).to_be_hidden()
    page.get_by_role("button", name="1:1").click()
    box = page.get_by_alt_text("Result").bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (20, 25)
    expect(page.get_by_role("region", name="Result, pixel by pixel")).to_be_visible()


def test_a_picture_with_an_ai_step_is_shown_without_it_until_it_is_ready(playground: Console) -> None:
    page = playground.page
    playground.tell("clear")
    playground.open(recipe(source=A, options={"remove_background": True}))
    expect(page.get_by_role("status").filter(has_text="An AI step is being worked on.")).to_be_visible()
    expect(page.locator("#facts .size")).to_contain_text("60 × 40")
    playground.tell("keep", source=A, options="remove_background:1", result="cut.png")
    expect(page.locator("#facts .size")).to_contain_text("30 × 30")
    expect(page.get_by_text("An AI step is being worked on.")).to_be_hidden()


def elements(markup: str) -> list[dict[str, str]]:
    """Give the attributes of each element."""
    found: list[dict[str, str]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append({name: value or "" for name, value in attrs})

    Reader().feed(markup)
    return found


def run(program: str) -> str:
    """Run a program as people paste it, and give its URL."""
    keys = {"IMGSERVE_KEY": KEY, "IMGSERVE_SALT": SALT, "PYTHONPATH": str(ROOT), "PATH": ""}
    ended = subprocess.run(
        [sys.executable, "-c", f"{program}\nprint(url)"], env=keys, capture_output=True, text=True, check=True
    )
    return ended.stdout.strip()


def test_snippets_are_what_people_paste(playground: Console) -> None:
    page = playground.page
    playground.open(recipe(source=A, presets="shadow", options={"resize": {"type": "fit", "width": 20}, "blur": 1}))
    page.locator(SETTLED).last.wait_for()
    url = snippet(page)
    assert url.startswith(f"{playground.url}/")
    page.get_by_role("tab", name="HTML").click()
    expect(page.locator("#snippet")).to_contain_text("choose:w:20")
    expect(page.locator("#use")).to_contain_text("One signature for all sizes")
    [image] = elements(snippet(page, "HTML"))
    addresses = [image["src"], *(one.split()[0] for one in image["srcset"].split(","))]
    for address in addresses:
        assert page.request.get(address).status == 200, address
    assert (image["width"], image["height"]) == ("20", "61")
    assert shlex.split(snippet(page, "curl").replace("\\\n", ""))[-1] == url
    assert run(snippet(page, "Python")) == url
    program = snippet(page, "JavaScript")
    assert f'"{A}"' in program
    assert '    resize: { type: "fit", width: 20 },\n    blur: 1,\n' in program
    assert '{ presets: ["shadow"] }' in program
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    snippet(page)
    page.get_by_role("button", name="Copy URL").click()
    expect(page.locator("#news")).to_have_text("URL copied.")
    assert page.evaluate("navigator.clipboard.readText()") == url
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#news")).to_have_text("Link to this recipe copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_texts_of_others_never_become_markup_nor_leave_their_quotes(playground: Console) -> None:
    page, evil = playground.page, """https://evil.test/'"`$(id)<img src=x onerror=alert(1)>\\"""
    playground.open()
    page.get_by_label("Or an address").fill(evil)
    expect(page.get_by_role("alert")).to_be_visible()
    assert page.locator("img:not([alt])").count() == 0
    write_all = """async facts => {
        const { WRITERS } = await import(new URL('playground/snippets.js', document.baseURI));
        return Object.fromEntries(Object.entries(WRITERS).map(([name, { write }]) => [name, write(facts)]));
    }"""
    facts = {
        "recipe": {"source": evil, "presets": [], "options": {}, "client": "avif"},
        "base": "http://a.test",
        "address": f"http://a.test/{evil}",
        "urls": {"separator": ":", "signature_size": 32},
        "format": "jpeg",
    }
    told = page.evaluate(write_all, facts)
    assert [one["src"] for one in elements(told["html"])] == [facts["address"]]
    assert shlex.split(told["curl"].replace("\\\n", ""))[-1] == facts["address"]
    assert run(told["python"]) == UrlSigner(KEY, SALT, base_url="http://a.test").url(evil)
    assert json.dumps(evil) in told["js"]
    playground.statuses.clear()


def test_holders_of_a_key_use_it_without_the_switch(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path, "/img") as url, playing(browser, url, prefix="/img") as playground:
        page = playground.page
        playground.open(recipe(source=A, options={"width": 20}))
        expect(page.get_by_label("Key", exact=True)).to_be_focused()
        page.get_by_label("Key", exact=True).fill("not-a-key")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert").filter(has_text="This key is not among IMGSERVE_API_KEYS")).to_be_visible()
        page.get_by_label("Key", exact=True).fill(API_KEY)
        page.keyboard.press("Enter")
        expect(page.locator("#facts .size")).to_contain_text("20 × 13")
        expect(page.locator("#snippet")).to_contain_text(f"{url}/img/")
        expect(page.locator("#samples")).to_be_hidden()
        assert API_KEY not in page.url
        assert page.evaluate("[Object.values(sessionStorage), localStorage.length, document.cookie]") == [
            [API_KEY],
            0,
            "",
        ]
        paths = {one.url.removeprefix(url) for one in playground.asked if one.url.startswith(url)}
        assert all(path.startswith("/img/") for path in paths)
        assert not [path for path in paths if path.endswith(("/playground/sign", "/playground/room"))]
        page.get_by_role("button", name="Forget key").click()
        expect(page.get_by_label("Key", exact=True)).to_be_focused()
        assert page.evaluate("sessionStorage.length") == 0
        assert A not in page.content()
        assert set(playground.statuses) == {403}
