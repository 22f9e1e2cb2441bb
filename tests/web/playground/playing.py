"""The playground's page in a browser, and recipes for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser

from tests.web.browser import Console, looking

A = "local:///a.jpg"
#: Of a server without a key, whose URLs may have every option.
SETTINGS = {"IMGSERVE_DEVELOPMENT": "1", "IMGSERVE_ALLOW_SECURITY_OPTIONS": "1", "IMGSERVE_AUTO_WEBP": "1"}
#: What settles when nothing changes any more: the last thing that is asked for.
SETTLED = "#happens .steps li"
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"


@contextmanager
def playing(browser: Browser, url: str, **more: Any) -> Iterator[Console]:
    """Open a window for the playground."""
    with looking(browser, url, **more) as made:
        made.at = "/playground"
        yield made


def recipe(**given: Any) -> str:
    """Give the fragment of a recipe."""
    parts = {**given, **({"options": json.dumps(given["options"])} if "options" in given else {})}
    return "#" + "&".join(f"{name}={value}" for name, value in parts.items())


#: Edges of what can be used that are hard to see against what is on either side (WCAG 1.4.11 wants 3 to 1).
FAINT_EDGES = """() => {
    const parse = (text) => {
        const [red, green, blue, alpha = 1] = text.match(/[\\d.]+(?:e-?\\d+)?/g).map(Number);
        const scale = text.startsWith('color(') ? 255 : 1;
        return [red * scale, green * scale, blue * scale, alpha];
    };
    const light = ([red, green, blue]) => {
        const line = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
        return 0.2126 * line(red) + 0.7152 * line(green) + 0.0722 * line(blue);
    };
    const ground = (node) => {
        for (let one = node; one; one = one.parentElement) {
            const colour = parse(getComputedStyle(one).backgroundColor);
            if (colour[3] === 1) return light(colour);
        }
        return 1;
    };
    const controls = 'input:not([type=range], [type=radio], [type=color]), select, button, .segments, .compass, .well';
    const found = [];
    let seen = 0;
    for (const node of document.querySelectorAll(controls)) {
        const style = getComputedStyle(node);
        const edge = parse(style.borderTopColor);
        if (!node.checkVisibility() || node.closest('.unseen, [aria-disabled=true]')) continue;
        // Texts that are buttons have no edge at all.
        if (edge[3] === 0 || parseFloat(style.borderTopWidth) === 0) continue;
        seen += 1;
        const [high, low] = [light(edge), ground(node.parentElement)].sort((one, other) => other - one);
        const ratio = (high + 0.05) / (low + 0.05);
        if (ratio < 3) found.push([node.className || node.id || node.tagName, ratio]);
    }
    return [seen > 0, found];
}"""
ALL_SEEN = [True, []]
