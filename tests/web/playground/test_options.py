"""Options of the playground: their controls, and what they make of the URL."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from playwright.sync_api import Page, expect

from imgserve.ops.catalog import CATALOG
from imgserve.plan.model import arrange
from imgserve.plan.presets import op_from_value
from imgserve.plan.writing import write
from tests.web.browser import Console
from tests.web.playground.playing import OPEN_ALL, SETTLED, A, recipe


def value_of(field: dict[str, Any], name: str) -> Any:
    """Choose a value that is not the default, as JSON has it."""
    kind = field["x-argument"]["kind"]
    if kind in ("integer", "number"):
        if name == "timestamp":
            return 32503669200
        least = max(1, field.get("minimum", 1))
        return field.get("multipleOf", min(least, field.get("maximum", least)))
    if kind == "list":
        return field["items"].get("enum", ["sale", "summer"])[-2:]
    known = {"flag": True, "colour": "aabbcc", "classes": ["dog", "face"], "gravity": "soea:3:4", "text": "c29tZQ"}
    return {"jpeg": 70, "webp": 60} if kind == "pairs" else known[kind] if kind in known else field["enum"][-1]


def set_by_hand(page: Page, id: str, kind: str, value: Any) -> None:
    control = page.locator(f'[id="{id}"]')
    if kind == "flag":
        page.locator(f'[id="{id}-2"]').check()
    elif kind == "choice":
        control.select_option(value)
    elif kind == "gravity":
        place, x, y = value.split(":")
        page.locator(f'[id="{id}-{place}"]').check()
        box = page.locator(".gravity", has=control)
        box.get_by_label(": x").fill(x)
        box.get_by_label(": y").fill(y)
    elif kind == "pairs":
        control.fill(", ".join(f"{name} {figure}" for name, figure in value.items()))
    else:
        control.fill(", ".join(value) if isinstance(value, list) else str(value))


ASK = """body => fetch("playground/sign", {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
}).then(answer => answer.json())"""


def last_order(playground: Console) -> str:
    """Give the body of what the page asked to be signed last."""
    return [one.post_data or "" for one in playground.asked if one.url.endswith("/sign")][-1]


def brief(name: str, table: dict[str, Any]) -> Any:
    """Write an option as the value of its first field where that says it all."""
    [first, *others] = CATALOG.by_name[name].spec.params.items()
    alone = (
        [*table] == [first[0]]
        and not isinstance(table[first[0]], dict)
        and not any(param.required for _, param in others)
    )
    return table[first[0]] if alone else table


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Let the page work until it holds."""
    for _ in range(100):
        if holds():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it does not come to hold")


def test_every_argument_of_every_option_has_a_control_whose_value_arrives_in_the_url(playground: Console) -> None:
    page, given = playground.page, {}
    playground.open(recipe(source=A))
    expect(page.locator("#facts .size")).to_contain_text("60 × 40")
    schema = page.evaluate("fetch('playground/catalog.json').then(answer => answer.json())")["options"]["properties"]
    assert [*schema] == [cls.spec.name for cls in CATALOG.ops]
    page.evaluate(OPEN_ALL)
    # Those that stand for others are merged with them, the last one wins: here, values are the same in all.
    for name, option in schema.items():
        if name == "preset":
            continue
        fields = option["anyOf"][0]["properties"]
        given[name] = {field: value_of(one, field) for field, one in fields.items()}
        for field, one in fields.items():
            set_by_hand(page, f"{name}.{field}", one["x-argument"]["kind"], given[name][field])
    ops = [op_from_value(name, table, CATALOG) for name, table in given.items()]
    expected = write(arrange(A, ops, CATALOG))
    sent = json.dumps({"source": A, "options": {name: brief(name, table) for name, table in given.items()}})
    until(page, lambda: json.loads(last_order(playground)) == json.loads(sent))
    told = page.evaluate(ASK, last_order(playground))
    assert told.get("path") == expected, told
    assert unquote(page.url).count('"') > len(given)
    # All of them are reset by one button, each by its own.
    for name in ("width", "crop"):
        page.get_by_role("button", name=f"Reset {name}", exact=True).click()
        expect(page.locator(f'[data-option="{name}"]')).not_to_have_class(re.compile("set"))
    page.get_by_role("button", name="Reset all").click()
    expect(page.locator(".option.set")).to_have_count(0)
    expect(page.locator("#facts .size")).to_contain_text("60 × 40")
    assert "options=" not in page.url
    playground.statuses.clear()


def test_sliders_and_figures_move_each_other(playground: Console) -> None:
    page = playground.page
    playground.open(recipe(source=A))
    slider, figure = page.locator('[data-option="width"] .reach'), page.locator('[id="width.width"]')
    figure.fill("1000")
    expect(slider).to_have_js_property("value", "500")
    slider.press("Home")
    expect(figure).to_have_value("0")
    slider.press("End")
    expect(figure).to_have_value("2000")
    page.get_by_role("searchbox", name="Search options").fill("blur")
    reach = page.locator('[data-option="blur"] .reach')
    # Its range is wide, and what is used is near its beginning.
    reach.evaluate("node => { node.value = 250; node.dispatchEvent(new Event('input')) }")
    expect(page.locator('[id="blur.sigma"]')).to_have_value("15.6")
    expect(reach).to_have_attribute("aria-valuetext", "15.6")


def test_options_are_found_by_any_of_their_words(playground: Console) -> None:
    page = playground.page
    playground.open(recipe(source=A))
    search = page.get_by_role("searchbox", name="Search options")
    for query, name in {"wm": "watermark", "corner": "round", "strip color": "strip_color_profile"}.items():
        search.fill(query)
        expect(page.locator(f'[data-option="{name}"]')).to_be_visible()
    search.fill("nothing is like this")
    expect(page.get_by_role("status").filter(has_text="No option is like that.")).to_be_visible()
    expect(page.locator(".group:visible")).to_have_count(0)
    expect(page.locator(".option:visible")).to_have_count(0)
    search.fill("")
    expect(page.locator('[data-option="width"]')).to_be_visible()
    expect(page.locator('[data-option="watermark"]')).to_be_hidden()


@pytest.mark.parametrize(
    ("query", "first"),
    {
        "gravity": ["gravity"],
        "rounded": ["round"],
        "wm": ["watermark"],
        "crop": ["crop", "crop_objects"],
        "w": ["width"],
        "blurred": ["blur", "blur_detections"],
        "sizes": ["size"],
        "rotation": ["rotate"],
        "focal": ["gravity"],
        "focal point": ["gravity"],
        "contain": ["resize", "resizing_type"],
        "cover": ["resize"],
        "placeholder": ["blur"],
        "border": ["padding", "background"],
        "Logo": ["watermark"],
        "grey background": [],
        "transparency": ["remove_background"],
        "colour profile": ["strip_color_profile"],
        "lossless": ["format", "quality"],
        "object": ["crop_objects"],
        "jpg": ["format"],
    }.items(),
)
def test_what_is_meant_is_found_first(playground: Console, query: str, first: list[str]) -> None:
    page = playground.page
    playground.open(recipe(source=A))
    page.get_by_role("searchbox", name="Search options").fill(query)
    found = page.locator(".results .option").evaluate_all("all => all.map(one => one.dataset.option)")
    assert found[: len(first)] == first


@pytest.mark.parametrize(
    ("query", "sentence"),
    {
        "grayscale": "No option changes the colours of a picture. CSS does it",
        "brightn": "No option changes the colours of a picture. CSS does it",
        "sepia": "CSS does it",
        "progressive": "IMGSERVE_JPEG_PROGRESSIVE",
        "placeholder": "come from /info",
        "border": "A border is padding with a background.",
        "logo": "The picture of the watermark is set by the operator.",
        "lossless": "PNG is lossless.",
    }.items(),
)
def test_what_other_tools_have_is_explained(playground: Console, query: str, sentence: str) -> None:
    playground.open(recipe(source=A))
    playground.page.get_by_role("searchbox", name="Search options").fill(query)
    expect(playground.page.locator("#found")).to_contain_text(sentence)


def test_every_word_of_other_tools_leads_to_options_that_are_there(playground: Console) -> None:
    playground.open(recipe(source=A))
    named = playground.page.evaluate(
        "import('./playground/otherwords.js').then(({ OTHER_WORDS }) => OTHER_WORDS.flatMap(one => one.options))"
    )
    assert named
    assert set(named) <= {cls.spec.name for cls in CATALOG.ops}


def test_what_is_set_is_kept_while_another_option_is_looked_for(playground: Console) -> None:
    page = playground.page
    playground.open(recipe(source=A, options={"width": 20, "flip": {"flip_horizontal": True}}))
    search = page.get_by_role("searchbox", name="Search options")
    order = page.locator(".option").evaluate_all("all => all.map(one => one.dataset.option)")
    for query in ("flip", "blur", "nothing is like this", "flip"):
        search.fill(query)
    page.locator('[id="flip.flip_vertical-2"]').check()
    expect(page.locator("#snippet")).to_contain_text("width:20")
    expect(page.locator("#snippet")).to_contain_text("flip:1:1")
    search.fill("")
    assert page.locator(".option").evaluate_all("all => all.map(one => one.dataset.option)") == order


def test_mistakes_are_told_at_the_control_and_pass(playground: Console) -> None:
    page = playground.page
    playground.open(recipe(source=A, options={"quality": 50}))
    expect(page.locator("#facts .size")).to_contain_text("60 × 40")
    quality = page.locator('[id="quality.quality"]')
    quality.fill("500")
    wrong = "Option quality: expected an integer from 0 to 100, got '500'."
    expect(page.get_by_role("alert").filter(has_text=wrong)).to_be_visible()
    expect(page.locator('[data-option="quality"]')).to_contain_text(wrong)
    expect(quality).to_have_attribute("aria-invalid", "true")
    page.get_by_role("searchbox").fill("watermark")
    page.get_by_role("button", name="Show the option").click()
    expect(quality).to_be_focused()
    expect(quality).to_be_in_viewport()
    # What is not so is not offered to be copied.
    expect(page.locator("#snippet")).to_be_hidden()
    quality.fill("60")
    expect(page.locator("#snippet")).to_contain_text("quality:60")
    expect(quality).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator('[data-option="quality"] .error')).to_be_empty()
    page.get_by_label("Or an address").fill("local:///missing.jpg")
    expect(page.locator("#source-error")).not_to_be_empty()
    expect(page.locator("#source")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Or an address").fill("")
    expect(page.get_by_text("Choose a picture, or paste the address of one.")).to_be_visible()
    assert {400, 404} == set(playground.statuses)


def test_addresses_are_asked_for_when_they_are_typed_and_not_before(playground: Console) -> None:
    page = playground.page
    playground.open(recipe(source=A))
    page.locator(SETTLED).last.wait_for()
    address = page.get_by_label("Or an address")
    address.fill("")
    address.press_sequentially("local:///cut.png", delay=60)
    # Slower than options are waited for.
    address.press("Backspace")
    page.wait_for_timeout(300)
    address.press_sequentially("g")
    expect(page.locator("#facts .size")).to_contain_text("30 × 30")
    asked = {json.loads(one.post_data or "{}").get("source") for one in playground.asked if one.url.endswith("/sign")}
    assert asked == {A, "local:///cut.png"}


def test_a_point_is_picked_in_the_picture(playground: Console) -> None:
    page = playground.page
    playground.open(recipe(source=A, options={"resize": {"type": "fill", "width": 10, "height": 20}}))
    page.locator(SETTLED).last.wait_for()
    page.get_by_role("searchbox").fill("gravity")
    page.locator('[data-option="gravity"]').get_by_role("button", name="Pick in the picture").click()
    expect(page.locator(".note")).to_contain_text("Escape leaves all as it is")
    box = page.get_by_alt_text("Original").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.75)
    expect(page.locator("#snippet")).to_contain_text("gravity:fp:0.25:0.75")
    expect(page.locator('[data-option="gravity"]')).to_contain_text("a point")
    expect(page.locator("#happens")).to_contain_text("keeping the chosen point")


@pytest.mark.parametrize(
    "options", [{"cache_tags": 5}, {"gravity": 5}, {"format_quality": "x"}, {"width": {"width": [1]}}]
)
def test_a_link_with_values_of_other_types_is_a_mistake_like_any_other(
    playground: Console, options: dict[str, Any]
) -> None:
    page = playground.page
    playground.open(recipe(source=A, options=options, client="toString"))
    [name] = options
    expect(page.locator(f'[data-option="{name}"] .error')).to_contain_text(f"Option {name}: expected")
    # A word that every object knows is no kind of client.
    expect(page.get_by_label("Browser reads")).to_have_value("avif")
    playground.statuses.clear()


def test_a_preset_that_is_gone_can_be_taken_off(playground: Console) -> None:
    page = playground.page
    playground.open(recipe(source=A, presets="gone,thumbnail"))
    expect(page.locator("#presets-error")).to_have_text("There is no preset called 'gone'.")
    page.get_by_role("button", name="Remove gone").click()
    expect(page.locator("#snippet")).to_contain_text("/preset:thumbnail/")
    expect(page.locator("#presets button").first).to_be_focused()
    playground.statuses.clear()
