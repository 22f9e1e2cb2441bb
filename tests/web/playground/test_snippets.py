"""What the playground gives to take away: snippets that are pasted and work."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from imgserve.sign import UrlSigner
from tests.web.browser import ROOT, Console
from tests.web.conftest import KEY, SALT
from tests.web.playground.playing import SETTLED, A, recipe


def snippet(page: Page, name: str = "URL") -> str:
    page.get_by_role("tab", name=name, exact=True).click()
    return page.locator("#snippet").inner_text()


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


@pytest.mark.parametrize(
    "options",
    [
        {"width": 20, "dpr": 2},
        {"width": 10, "height": 10, "dpr": 2},
        {"width": 10, "zoom": {"zoom_x": 2}},
        {"width": 10, "min_width": 20},
        {"crop": {"crop_width": 30}},
        {"rotate": 90},
        {"width": 20, "padding": {"padding_top": 1, "padding_right": 4}},
        {"raw": True},
    ],
)
def test_every_picture_of_a_srcset_has_the_width_that_it_is_said_to_have(
    playground: Console, options: dict[str, Any]
) -> None:
    page = playground.page
    playground.open(recipe(source=A, options=options))
    page.locator(SETTLED).last.wait_for()
    page.get_by_role("tab", name="HTML").click()
    if "raw" not in options:
        expect(page.locator("#snippet")).to_contain_text("srcset=")
    [image] = elements(snippet(page, "HTML"))
    widths = "async src => { const one = new Image(); one.src = src; await one.decode(); return one.naturalWidth }"
    points = int(image["width"])
    for one in image.get("srcset", "").split(",") if "raw" not in options else [f"{image['src']} 1x"]:
        address, descriptor = one.split()
        said = float(descriptor[:-1]) * (points if descriptor.endswith("x") else 1)
        assert abs(page.evaluate(widths, address) - said) <= 1, one
    assert "srcset" in image or "raw" in options


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
