"""The playground for everybody: by keys, by names, in both themes, on small windows, without motion."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.web.browser import Console
from tests.web.playground.playing import ALL_SEEN, FAINT_EDGES, OPEN_ALL, SETTLED, A, playing, recipe


def test_all_of_it_can_be_done_with_keys(playground: Console) -> None:
    page = playground.page
    playground.open()
    page.locator(SETTLED).last.wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the result")).to_be_focused()

    def tab_to(text: str, most: int = 60) -> None:
        """Go on by Tab until what has the focus is called so."""
        for _ in range(most):
            page.keyboard.press("Tab")
            name = page.evaluate(
                "(document.activeElement.ariaLabel ?? '') + ' ' + (document.activeElement.innerText ?? '')"
            )
            if text in name:
                # What has the focus shows it.
                outline = page.evaluate("""(() => {
                    const node = document.activeElement;
                    return [node, node.nextElementSibling, node.closest('.frame')].filter(Boolean)
                        .some(one => getComputedStyle(one).outlineStyle !== 'none');
                })()""")
                assert outline, text
                return
        raise AssertionError(f"no way to {text}")

    tab_to("cut.png")
    page.keyboard.press("Enter")
    expect(page.locator("#snippet")).to_contain_text("cut.png")
    tab_to("thumbnail")
    page.keyboard.press("Space")
    expect(page.locator("#snippet")).to_contain_text("preset:thumbnail")
    tab_to("Effects", 120)
    page.keyboard.press("Enter")
    tab_to("Sigma: slider")
    page.keyboard.press("End")
    expect(page.locator("#snippet")).to_contain_text("blur:1000")
    tab_to("Reset blur")
    page.keyboard.press("Enter")
    expect(page.locator("#snippet")).not_to_contain_text("blur")
    expect(page.locator('[id="blur.sigma"]')).to_be_focused()
    tab_to("Side by side", 200)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Side by side")).to_have_attribute("aria-pressed", "true")
    tab_to("Copy URL")
    tab_to("URL")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name="Python")).to_be_focused()
    expect(page.locator("#snippet")).to_contain_text("UrlSigner")


NAMED = {"button", "textbox", "searchbox", "slider", "spinbutton", "radio", "combobox", "switch", "tab", "ColorWell"}
NAMED |= {"link", "group", "radiogroup", "region", "form", "tablist", "tabpanel", "image", "DisclosureTriangle"}


def test_every_control_has_a_name_and_every_id_is_one(playground: Console) -> None:
    page = playground.page
    playground.open(recipe(source=A, presets="shadow", options={"quality": 500}))
    expect(page.get_by_role("alert")).to_be_visible()
    page.evaluate(OPEN_ALL)
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    found = [one for one in nodes if not one["ignored"] and one["role"]["value"] in NAMED]
    assert len(found) > 200
    unnamed = [one["role"]["value"] for one in found if not one.get("name", {}).get("value", "").strip()]
    # Pictures of samples are beside their names.
    assert [role for role in unnamed if role not in ("image", "group")] == []
    assert page.evaluate("""(() => {
        const ids = [...document.querySelectorAll('[id]')].map(one => one.id);
        const lost = [...document.querySelectorAll('[aria-describedby], [aria-labelledby], [aria-controls], [for]')]
            .flatMap(one => ['aria-describedby', 'aria-labelledby', 'aria-controls', 'for']
            .flatMap(name => (one.getAttribute(name) ?? '').split(' ').filter(Boolean)))
            .filter(id => !ids.includes(id));
        return [ids.length - new Set(ids).size, lost];
    })()""") == [0, []]
    headings = page.locator("h1, h2").all_inner_texts()
    assert headings[0] == "imgserve playground"
    assert len(page.locator("main").all()) == 1
    playground.statuses.clear()


CONTRAST = """() => {
    const parse = (text) => {
        const [red, green, blue, alpha = 1] = text.match(/[\\d.]+(?:e-?\\d+)?/g).map(Number);
        const scale = text.startsWith('color(') ? 255 : 1;
        return [red * scale, green * scale, blue * scale, alpha];
    };
    const over = (top, under) => [0, 1, 2].map((at) => top[at] * top[3] + under[at] * (1 - top[3]));
    const light = ([red, green, blue]) => {
        const line = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
        return 0.2126 * line(red) + 0.7152 * line(green) + 0.0722 * line(blue);
    };
    const behind = (node) => {
        const layers = [];
        for (let one = node; one; one = one.parentElement) {
            const colour = parse(getComputedStyle(one).backgroundColor);
            if (colour[3] > 0) layers.push(colour);
            if (colour[3] === 1) break;
        }
        return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
    };
    const found = [];
    for (const node of document.querySelectorAll('body *')) {
        const own = [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
        if (!own && !(node.placeholder && !node.value)) continue;
        if (!node.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
        if (node.closest('.label, .skip, [aria-disabled=true], .unseen, noscript, option')) continue;
        const under = behind(node);
        const ink = light(over(parse(getComputedStyle(node).color), under));
        const [high, low] = [ink, light(under)].sort((one, other) => other - one);
        const ratio = (high + 0.05) / (low + 0.05);
        if (ratio < 4.5) found.push([node.className || node.tagName, (node.textContent || '').slice(0, 30), ratio]);
    }
    return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_are_read_easily_in_both_themes(browser: Browser, server: str, scheme: str) -> None:
    other = "dark" if scheme == "light" else "light"
    with playing(browser, server, color_scheme=scheme) as playground:
        page = playground.page
        playground.open(recipe(source=A, presets="shadow,grid", options={"width": 20, "quality": 500}))
        expect(page.get_by_role("alert")).to_be_visible()
        page.evaluate("document.querySelectorAll('.group').forEach(one => { one.open = true })")
        for theme in (scheme, other, scheme):
            page_colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
            assert (sum(map(int, re.findall(r"\d+", page_colour))) < 380) is (theme == "dark")
            assert page.evaluate(CONTRAST) == []
            assert page.evaluate(FAINT_EDGES) == ALL_SEEN
            page.locator('[id="quality.quality"]').fill("50")
            expect(page.locator("#snippet")).to_be_visible()
            page.locator(SETTLED).last.wait_for()
            assert page.evaluate(CONTRAST) == []
            switch = page.get_by_role("switch", name="Dark theme")
            assert switch.get_attribute("aria-checked") == str(theme == "dark").lower()
            switch.click()
        # The system's own theme is not kept, the other one is, and is there before the first paint.
        assert page.evaluate("document.documentElement.dataset.theme") == other
        page.reload()
        assert page.evaluate("document.documentElement.dataset.theme") == other
        playground.statuses.clear()


BEYOND = """(() => {
    const pane = document.querySelector('.recipe').getBoundingClientRect().right + 0.5;
    return [...document.querySelectorAll('.recipe *')]
        .filter(one => one.checkVisibility() && !one.closest('.samples') && one.getBoundingClientRect().right > pane)
        .map(one => one.outerHTML.slice(0, 100));
})()"""


@pytest.mark.parametrize("width", [320, 390, 700, 900])
def test_narrow_windows_have_all_of_it_and_nothing_to_scroll_sideways(
    browser: Browser, server: str, width: int
) -> None:
    with playing(browser, server, width=width, height=740) as playground:
        page = playground.page
        playground.open(recipe(source=A, presets="shadow", options={"resize": {"width": 20}, "gravity": "fp:0.1:0.2"}))
        page.locator(SETTLED).last.wait_for()
        page.evaluate(OPEN_ALL)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(BEYOND) == []
        page.locator('[data-option="blur"]').scroll_into_view_if_needed()
        # The picture stays in sight of its controls.
        expect(page.get_by_alt_text("Result")).to_be_in_viewport()


CUT = """(() => [...document.querySelectorAll('.facts :is(.main, .more), .tabs button, .copy, #tools button')]
    .filter(one => one.checkVisibility() && getComputedStyle(one.closest('div')).position !== 'absolute')
    .filter(one => {
        const box = one.getBoundingClientRect();
        const room = one.closest('.facts > div, .card, .tools').getBoundingClientRect();
        return box.width > 1 && (one.scrollWidth > one.clientWidth + 1 || box.right > room.right + 0.5);
    })
    .map(one => one.textContent))()"""


@pytest.mark.parametrize("width", [320, 390, 840, 1000, 1181, 1280, 1440])
def test_no_figure_and_no_button_is_cut_off(browser: Browser, server: str, width: int) -> None:
    with playing(browser, server, width=width, height=800) as playground:
        page = playground.page
        playground.open(recipe(source=A, options={"width": 50}))
        expect(page.locator("#facts .cache")).to_contain_text(" in ")
        page.locator(SETTLED).last.wait_for()
        page.evaluate("document.querySelector('#facts .cache .main').textContent = 'fallback picture'")
        assert page.evaluate(CUT) == []
        # All tabs are on one line where that has room for them, and the way to copy is in the line of the title.
        tops = page.locator(".tabs button").evaluate_all("all => all.map(one => one.getBoundingClientRect().top)")
        assert len(set(tops)) == 1 or width < 390
        title, copy = page.locator("#use-title").bounding_box(), page.locator(".copy").bounding_box()
        assert title is not None
        assert copy is not None
        assert abs(title["y"] + title["height"] / 2 - copy["y"] - copy["height"] / 2) < 4
        assert page.get_by_label("Browser reads").evaluate("one => one.getBoundingClientRect().right <= innerWidth")


def test_people_who_want_no_motion_get_none(browser: Browser, server: str) -> None:
    with playing(browser, server, reduced_motion="reduce") as playground:
        playground.open(recipe(source=A))
        times = "[...document.querySelectorAll('*')].map(one => parseFloat(getComputedStyle(one).transitionDuration))"
        assert set(playground.page.evaluate(times)) == {0}


def test_the_way_past_the_controls_keeps_the_recipe(playground: Console) -> None:
    page = playground.page
    playground.open(recipe(source=A, options={"width": 20}))
    expect(page.locator("#facts .size")).to_contain_text("20 × 13")
    before = page.url
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#result")).to_be_focused()
    assert page.url == before
    expect(page.get_by_label("Or an address")).to_have_value(A)


HIDDEN = """(() => [...document.querySelectorAll('.recipe :is(input, summary, select)')]
    .filter(one => one.checkVisibility() && !one.classList.contains('unseen'))
    .reverse()
    .filter(one => {
        one.focus();
        const { left, right, top, bottom } = one.getBoundingClientRect();
        return document.elementFromPoint((left + right) / 2, (top + bottom) / 2)?.closest('.result');
    })
    .map(one => one.id || one.innerText))()"""


@pytest.mark.parametrize(("width", "height"), [(390, 740), (320, 568), (320, 256), (640, 400)])
def test_what_has_the_focus_is_never_under_the_picture(browser: Browser, server: str, width: int, height: int) -> None:
    with playing(browser, server, width=width, height=height) as playground:
        playground.open(recipe(source=A, presets="shadow"))
        playground.page.locator(SETTLED).last.wait_for()
        playground.page.evaluate("document.querySelectorAll('.group').forEach(one => { one.open = true })")
        assert playground.page.evaluate(HIDDEN) == []


def test_what_is_chosen_is_seen_where_the_system_gives_the_colours(browser: Browser, server: str) -> None:
    with playing(browser, server, forced_colors="active") as playground:
        page = playground.page
        playground.open(recipe(source=A, presets="shadow", options={"gravity": "no"}))
        page.locator(SETTLED).last.wait_for()
        page.evaluate(OPEN_ALL)
        ground = "(nodes) => nodes.map(one => getComputedStyle(one).backgroundColor)"
        for chosen, other in {
            ".sample[aria-pressed=true]": ".sample[aria-pressed=false]",
            ".preset[aria-pressed=true]": ".preset[aria-pressed=false]",
            ".segments button[aria-pressed=true]": ".segments button[aria-pressed=false]",
            "[role=tab][aria-selected=true]": "[role=tab][aria-selected=false]",
            ".compass input:checked": ".compass input:not(:checked)",
            ".segments input:checked + span": ".segments input:not(:checked) + span",
        }.items():
            ours, theirs = (set(page.locator(one).evaluate_all(ground)) for one in (chosen, other))
            assert ours, chosen
            assert not ours & theirs, chosen


def test_a_page_of_another_site_cannot_open_it_in_a_frame(playground: Console) -> None:
    playground.open()
    answer = playground.page.request.get(playground.page.url)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"


def test_a_point_is_picked_with_keys(playground: Console) -> None:
    page = playground.page
    playground.open(recipe(source=A, options={"resize": {"type": "fill", "width": 10, "height": 20}}))
    page.locator(SETTLED).last.wait_for()
    page.get_by_role("searchbox").fill("gravity")
    picker = page.locator('[data-option="gravity"]').get_by_role("button", name="Pick in the picture")
    expect(picker).to_have_attribute("aria-pressed", "false")
    picker.focus()
    page.keyboard.press("Enter")
    expect(picker).to_have_attribute("aria-pressed", "true")
    ring = page.get_by_role("slider", name="Focus point")
    expect(ring).to_be_focused()
    expect(page.locator("#news")).to_contain_text("move the ring with the arrow keys")
    expect(ring).to_have_attribute("aria-valuetext", "50 % from the left, 50 % from the top")
    for key in ("ArrowLeft", "Shift+ArrowLeft", "ArrowDown", "Shift+ArrowUp"):
        page.keyboard.press(key)
    expect(ring).to_have_attribute("aria-valuetext", "39 % from the left, 41 % from the top")
    picture, at = page.get_by_alt_text("Original").bounding_box(), ring.bounding_box()
    assert picture is not None
    assert at is not None
    assert at["x"] + at["width"] / 2 == pytest.approx(picture["x"] + 0.39 * picture["width"], abs=1)
    assert at["y"] + at["height"] / 2 == pytest.approx(picture["y"] + 0.41 * picture["height"], abs=1)
    page.keyboard.press("Escape")
    expect(picker).to_be_focused()
    expect(picker).to_have_attribute("aria-pressed", "false")
    expect(ring).to_be_hidden()
    expect(page.locator("#snippet")).not_to_contain_text("gravity")
    page.keyboard.press("Space")
    for key in ("Shift+ArrowRight", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#snippet")).to_contain_text("gravity:fp:0.6:0.49")
    expect(picker).to_be_focused()
    # It goes on from where it is.
    page.keyboard.press("Enter")
    expect(ring).to_have_attribute("aria-valuetext", "60 % from the left, 49 % from the top")
    for _ in range(6):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Space")
    expect(page.locator("#snippet")).to_contain_text("gravity:fp:1:0.49")


def test_a_number_of_a_gravity_is_there_only_where_it_counts(playground: Console) -> None:
    page = playground.page
    playground.open(recipe(source=A, options={"resize": {"type": "fill", "width": 10, "height": 20}}))
    page.get_by_role("searchbox").fill("gravity")
    gravity = page.locator('[data-option="gravity"]')
    x = gravity.get_by_label("Gravity: x")
    expect(x).to_be_hidden()
    gravity.get_by_role("radio", name="Gravity: top left").check()
    expect(gravity).to_contain_text("pixels, or below 1 a share")
    x.fill("0.2")
    expect(page.locator("#snippet")).to_contain_text("gravity:nowe:0.2:0")
    gravity.get_by_label("Gravity: by").select_option("fp")
    expect(gravity).to_contain_text("Shares from the left and the top")
    x.fill("0.9")
    expect(page.locator("#snippet")).to_contain_text("gravity:fp:0.9:0.5")
    gravity.get_by_label("Gravity: by").select_option("sm")
    expect(x).to_be_hidden()


def test_news_are_told_in_one_place(playground: Console) -> None:
    page = playground.page
    playground.tell("clear")
    playground.open(recipe(source=A, options={"remove_background": True}))
    expect(page.locator("#news")).to_contain_text("An AI step is being worked on.")
    told = page.get_by_text("An AI step is being worked on.").evaluate_all(
        "all => all.filter(one => one.closest('[aria-live], [role=status], [role=alert]')).map(one => one.id)"
    )
    assert told == ["news"]
    playground.tell("keep", source=A, options="remove_background:1", result="cut.png")
    expect(page.locator("#news")).to_contain_text("The AI step is ready. Result: 30 by 30 pixels")


def test_waiting_for_an_ai_step_ends_and_says_so(playground: Console) -> None:
    page = playground.page
    playground.tell("clear")
    page.add_init_script("const now = Date.now; window.ahead = 0; Date.now = () => now() + window.ahead")
    playground.open(recipe(source="local:///cut.png", options={"remove_background": True}))
    note = page.locator(".note")
    expect(note).to_contain_text("An AI step is being worked on.")
    page.evaluate("window.ahead = 10 * 60 * 1000")
    expect(note).to_contain_text("This page asks no more: reload it")
    expect(page.locator("#news")).to_contain_text("This page asks no more")
    asked = len(playground.asked)
    # Longer than the server says until the next time.
    page.wait_for_timeout(3000)
    assert len(playground.asked) == asked
