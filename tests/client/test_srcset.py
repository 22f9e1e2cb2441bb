"""Responsive pictures: what stands in the vectors, and what cannot be asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imgserve.client import (
    DEFAULT_WIDTHS,
    DEVICE_SIZES,
    IMAGE_SIZES,
    BadOption,
    UrlSigner,
    image_props,
    srcset,
    token,
)
from imgserve.ops.info_pixels import NEXT_WIDTHS

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "srcset.json").read_text("utf-8"))
FUNCTIONS: dict[str, Callable[..., object]] = {"token": token, "srcset": srcset, "image_props": image_props}
MUG = "https://shop.example.com/mug.jpg"

signer = UrlSigner("", "")


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_vectors(case: dict[str, Any]) -> None:
    made = FUNCTIONS[case["function"]]
    options = [f"{name}:{value}" for name, value in case["options"].items()]
    arguments = dict(case["arguments"])
    if "qualities" in arguments:
        # JSON has no tuples.
        arguments["qualities"] = [tuple(one) if isinstance(one, list) else one for one in arguments["qualities"]]
    with_key = UrlSigner(VECTORS["key"], VECTORS["salt"], base_url=VECTORS["base_url"])
    assert made(with_key, case["source"], *options, **arguments) == case["result"]


def test_info_and_both_packages_have_the_same_widths() -> None:
    typescript = (Path(__file__).parent.parent.parent / "clients/js/src/widths.ts").read_text("utf-8")
    lists = re.findall(r"(DEVICE|IMAGE)_SIZES: readonly number\[\] = (\[[0-9, ]+\])", typescript)
    assert [tuple(json.loads(text)) for _, text in lists] == [DEVICE_SIZES, IMAGE_SIZES]
    assert NEXT_WIDTHS == DEFAULT_WIDTHS


def test_densities_of_a_box_give_whole_widths() -> None:
    widths = range(16, 3841, 77)
    text = srcset(signer, MUG, widths=list(widths), width=1000, height=563)
    densities = [float(one) for one in re.findall(r"\?dpr=([0-9.]+)", text)]
    assert [round(1000 * one) for one in densities] == list(widths)


def test_another_separator_is_the_signers() -> None:
    comma = UrlSigner("", "", arguments_separator=",")
    text = srcset(comma, MUG, "rs:fill:600:400", widths=[300, 600])
    assert text.startswith("/unsafe/resizing_type,fill/width,600/height,400/choose,dpr,1,0.5/plain/")


def test_a_choice_of_ones_own_stands_beside_that_of_the_width() -> None:
    assert "/choose:f:webp:png/choose:w:300/" in srcset(signer, MUG, "choose:f:webp:png", widths=[300])


@pytest.mark.parametrize(
    ("first", "arguments"),
    [
        ("1200", {}),
        ("640", {"widths": [320, 640]}),
        ("1920", {"widths": [640, 1080, 1920, 2048]}),
        ("320", {"width": 300, "widths": [64, 320, 640]}),
        ("1.1", {"width": 300, "height": 200, "widths": [64, 330, 640]}),
    ],
)
def test_a_token_whose_query_was_lost_is_as_wide_as_its_room_or_as_a_page_is(
    first: str, arguments: dict[str, Any]
) -> None:
    assert re.findall(r"/choose:[a-z]+:([0-9.]+)", token(signer, MUG, **arguments)) == [first]


def test_what_the_picture_is_cropped_by_is_decided_by_whoever_says_how() -> None:
    room: dict[str, Any] = {"width": 60, "height": 40}
    assert "/resizing_type:fill-down/" in token(signer, MUG, **room)
    assert "/resizing_type:fill/" in token(signer, MUG, "rt:fill", **room)
    assert "resizing_type" not in token(signer, MUG, presets=["grid"], **room)
    assert "resizing_type" not in token(signer, MUG, "pr:grid", **room)
    assert "resizing_type" not in token(signer, MUG, "size:60:40")


@pytest.mark.parametrize(
    ("where", "arguments"),
    [
        ("height", {"height": 400, "widths": [300]}),
        ("width", {}),
        ("width", {"height": 400}),
        ("widths", {"widths": []}),
        ("widths", {"widths": [0, 300]}),
        ("widths", {"width": -1}),
    ],
)
@pytest.mark.parametrize("mode", ["token", "urls"])
def test_sizes_that_make_no_picture_are_refused(where: str, arguments: dict[str, Any], mode: Any) -> None:
    with pytest.raises(BadOption) as caught:
        image_props(signer, MUG, mode=mode, **arguments)
    assert caught.value.where == where
    assert caught.value.expected


@pytest.mark.parametrize("options", [("widht:300",), ("quality:900",)])
def test_a_wrong_option_is_told(options: tuple[str, ...]) -> None:
    with pytest.raises(BadOption):
        image_props(signer, MUG, *options, width=300)
