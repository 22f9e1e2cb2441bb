"""The playground in a real browser on a real server."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.web.browser import API_KEY, Console, served
from tests.web.playground.playing import SETTLED, A, playing, recipe


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


def test_a_large_picture_does_not_replace_a_small_one_that_was_asked_for_later(playground: Console) -> None:
    page = playground.page
    playground.open(recipe(source=A, options={"width": 30}))
    page.locator(SETTLED).last.wait_for()
    # The next picture takes long to be decoded, as large ones do: until the test says.
    page.evaluate("""() => {
        const { decode } = HTMLImageElement.prototype;
        HTMLImageElement.prototype.decode = async function () {
            HTMLImageElement.prototype.decode = decode;
            await decode.call(this);
            document.documentElement.dataset.decodes = "waits";
            await new Promise(resolve => { window.go = resolve });
            document.documentElement.dataset.decodes = "done";
        };
    }""")
    page.locator('[id="width.width"]').fill("21")
    expect(page.locator("html")).to_have_attribute("data-decodes", "waits")
    page.locator('[id="width.width"]').fill("22")
    expect(page.locator("#facts .size")).to_contain_text("22 × ")
    page.evaluate("window.go()")
    expect(page.locator("html")).to_have_attribute("data-decodes", "done")
    expect(page.locator(SETTLED).last).to_be_visible()
    assert page.get_by_alt_text("Result").evaluate("one => one.naturalWidth") == 22


def test_steps_of_another_picture_are_not_told(playground: Console) -> None:
    page = playground.page
    playground.open(recipe(source=A, options={"width": 30}))
    expect(page.locator("#happens")).to_contain_text("To 30 × 20")

    def refuse(route: Route) -> None:
        if "explain" in (route.request.post_data or ""):
            route.fulfill(status=429, json={"error": {"code": "rate_limited", "message": "Too many requests."}})
        else:
            route.continue_()

    page.route("**/playground/sign", refuse)
    page.locator('[id="width.width"]').fill("20")
    expect(page.locator("#happens")).to_contain_text("Too many requests.")
    expect(page.locator("#happens")).not_to_contain_text("To 30 × 20")
    expect(page.locator("#snippet")).to_contain_text("width:20")
    playground.statuses.clear()


def test_orders_that_are_too_many_are_given_again_by_themselves(playground: Console) -> None:
    page = playground.page
    playground.open(recipe(source=A, options={"width": 30}))
    page.locator(SETTLED).last.wait_for()
    refused: list[str] = []

    def refuse(route: Route) -> None:
        body = route.request.post_data or ""
        # Of 20 the picture's and the steps' first order, of 21 all.
        if "21" in body or (body not in refused and "choose" not in body):
            refused.append(body)
            error = {"error": {"code": "rate_limited", "message": "Too many requests."}}
            route.fulfill(status=429, headers={"retry-after": "1"}, json=error)
        else:
            route.continue_()

    page.route("**/playground/sign", refuse)
    page.locator('[id="width.width"]').fill("20")
    expect(page.locator(".note")).to_contain_text("The picture comes by itself in 1 s.")
    expect(page.locator("#facts .size")).to_contain_text("20 × ")
    expect(page.locator(".note")).to_be_hidden()
    # It does not go on for ever.
    expect(page.locator("#happens")).to_contain_text("To 20 × 13")
    page.locator('[id="width.width"]').fill("21")
    expect(page.get_by_role("alert").filter(has_text="Too many requests.")).to_be_visible()
    assert sum("21" in body for body in refused) == 3
    playground.statuses.clear()


def test_a_basic_provider_is_named_with_what_can_be_had_of_it(playground: Console) -> None:
    page = playground.page

    def basic(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, headers={**answer.headers, "x-imgserve-provider": "grabcut; basic"})

    page.route("**/*width:22/**", basic)
    playground.open(recipe(source=A, options={"width": 22}))
    expect(page.locator("#credit")).to_contain_text(
        "Made by the basic provider grabcut. It finds one object before a plain"
    )
    expect(page.locator("#news")).to_contain_text("landscapes and busy scenes need a model")
    assert page.locator("#credit a").count() == 0
    page.locator('[id="width.width"]').fill("23")
    expect(page.locator("#facts .size")).to_contain_text("23 × ")
    expect(page.locator("#credit")).to_be_hidden()


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("", ""),
        ("onnx:u2net", ""),
        ("grabcut; basic, libvips; basic", "Made by the basic providers grabcut and libvips."),
        ("onnx:u2net, libvips; basic", "Made by the basic provider libvips. It adds no detail"),
        ("ours; basic", "Made by the basic provider ours."),
    ],
)
def test_credits_name_those_that_are_basic(playground: Console, header: str, sentence: str) -> None:
    playground.open()
    credit = "text => import('./playground/notes.js').then(({ creditOf }) => creditOf(text))"
    told = playground.page.evaluate(credit, header)
    assert told.startswith(sentence)
    assert bool(told) is bool(sentence)


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
    expect(page.locator(".note")).to_contain_text("An AI step is being worked on.")
    expect(page.locator("#facts .size")).to_contain_text("60 × 40")
    playground.tell("keep", source=A, options="remove_background:1", result="cut.png")
    expect(page.locator("#facts .size")).to_contain_text("30 × 30")
    expect(page.locator(".note")).to_be_hidden()


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


def test_a_secret_of_pictures_is_no_mistake_in_the_key_and_nothing_is_left_behind(
    browser: Browser, tmp_path: Path
) -> None:
    with served(tmp_path, IMGSERVE_SECRET="for-the-cdn") as url, playing(browser, url) as playground:
        page = playground.page
        playground.open(recipe(source=A, options={"width": 20}))
        page.get_by_label("Key", exact=True).fill(API_KEY)
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert").filter(has_text="Authorization: Bearer <secret>")).to_be_visible()
        expect(page.get_by_label("Address")).to_have_value(A)
        assert page.evaluate("Object.values(sessionStorage)") == [API_KEY]
        page.get_by_role("button", name="Forget key").click()
        expect(page.get_by_label("Key", exact=True)).to_be_focused()
        page.go_back()
        assert A not in page.url
        assert set(playground.statuses) == {403}


def test_holders_of_a_key_need_not_tell_it_again_behind_a_proxy(browser: Browser, server: str) -> None:
    with playing(browser, server, extra_http_headers={"x-forwarded-for": "203.0.113.9"}) as playground:
        page = playground.page
        playground.open(recipe(source=A, options={"width": 20}))
        expect(page.get_by_role("alert").filter(has_text="not for what a proxy passes on")).to_be_visible()
        page.get_by_label("Key", exact=True).fill(API_KEY)
        page.keyboard.press("Enter")
        expect(page.locator("#facts .size")).to_contain_text("20 × 13")
        page.reload()
        expect(page.locator("#facts .size")).to_contain_text("20 × 13")
        expect(page.get_by_label("Key", exact=True)).to_be_hidden()
        playground.statuses.clear()


@pytest.mark.parametrize(("version", "status"), [("1.1", 200), ("1.0", 403)])
def test_a_proxy_that_says_nothing_of_itself_is_known_by_its_http(server: str, version: str, status: int) -> None:
    host = server.removeprefix("http://")
    body = json.dumps({"source": A})
    lines = [
        f"POST /playground/sign HTTP/{version}",
        f"Host: {host}",
        f"Origin: {server}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port)), timeout=10) as line:
        line.sendall("\r\n".join([*lines, "", body]).encode())
        with line.makefile("rb") as answer:
            assert answer.readline().split()[1] == str(status).encode()


def test_where_urls_name_presets_alone_the_result_is_not_shown_as_the_original(
    browser: Browser, tmp_path: Path
) -> None:
    settings = {"IMGSERVE_DEVELOPMENT": "1", "IMGSERVE_ONLY_PRESETS": "1"}
    with served(tmp_path, **settings) as url, playing(browser, url) as playground:
        page = playground.page
        playground.open(recipe(source=A, presets="thumbnail"))
        expect(page.locator("#facts .size")).to_contain_text("150 × 150")
        page.locator(SETTLED).last.wait_for()
        expect(page.get_by_alt_text("Original")).to_be_hidden()
        expect(page.get_by_role("searchbox")).to_be_hidden()
        playground.statuses.clear()
