"""Fields of /info that are measured in pixels, from options to JSON values; and that no option or file breaks them."""

from __future__ import annotations

import io
import json
import random
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from imgserve.engine import tags
from imgserve.engine.deadline import Deadline
from imgserve.engine.header import open_header
from imgserve.engine.intent import EngineConfig, Limits
from imgserve.engine.subject import Subject
from imgserve.errors import ImageError
from imgserve.ops.catalog import CATALOG
from imgserve.ops.info import PIXEL_FIELDS, fields, head_fields, info_grammar
from imgserve.ops.info_fields import Head, PixelField
from imgserve.plan.url import Grammar, parse
from tests.engine.decoded_hashes import blurhash_at
from tests.engine.pictures import animated, jpeg, photo, plain, png, turned, with_alpha
from tests.strategies import ops

GRAMMAR = info_grammar(Grammar(catalog=CATALOG))
ALL = "a:1:1/c:0.5:0.5:sm/p:6/avg:1/dc:1:1/bh:4:3/th:1/ph:1/lqip:16/cs:1/b:1/sf:1/pn:1"


def measured(data: bytes, options: str) -> dict[str, Any]:
    plan = parse(f"{options}/plain/local:///a".removeprefix("/"), GRAMMAR)
    limits, config, deadline = Limits(), EngineConfig(), Deadline(30)
    with open_header(data, limits=limits, config=config, deadline=deadline) as opened:
        head = Head(size=len(data), opened=opened)
        parts = [one.told(head) for one in head_fields(plan)]
        subject = Subject(data, opened, limits=limits, config=config, deadline=deadline)
        parts += [one.told(subject) for one in fields(plan, PixelField)]
    return {name: value for part in parts for name, value in part.items()}


def told(data: bytes, options: str) -> Any:
    """Give the one part of an answer that is no head."""
    usual = "s:0/f:0/d:0/exif:0/iptc:0/xmp:0"
    return measured(data, f"{usual}/{options}")


def pillow(format: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 30, 40)).save(out, format)
    return out.getvalue()


def test_the_shape_of_pixels_is_told() -> None:
    facts = told(jpeg(photo()), "cs:1/b:1/sf:1/pn:1")
    assert facts == {"colorspace": "srgb", "bands": 3, "sample_format": "uchar", "pages_number": 1}
    three = bytes(animated([photo(), plain(200, 100, [9, 9, 9]), photo()]).gifsave_buffer())
    assert told(three, "pn:1") == {"pages_number": 3}
    deep = (photo() * 256).cast("ushort").copy(interpretation="rgb16")
    assert told(png(deep), "cs:1/sf:1") == {"colorspace": "rgb16", "sample_format": "ushort"}


def test_alpha_is_told_as_the_channel_and_as_what_it_does() -> None:
    assert told(jpeg(photo()), "a:1:1") == {"alpha": False, "transparency": False}
    assert told(png(photo().addalpha()), "a:1:1") == {"alpha": True, "transparency": False}
    assert told(png(with_alpha(photo())), "a:1:1") == {"alpha": True, "transparency": True}
    assert told(png(with_alpha(photo())), "a:1") == {"alpha": True}


def test_crops_are_shares_of_the_upright_picture() -> None:
    source = png(turned(photo(), 6))  # 100 x 200 as people see it
    assert told(source, "c:50:50:nowe:10") == {"crop": {"left": 0.1, "top": 0.0, "width": 0.5, "height": 0.25}}
    assert told(source, "c:0.5:0:ea") == {"crop": {"left": 0.5, "top": 0.0, "width": 0.5, "height": 1.0}}
    assert told(source, "c:0:0") == {}


@pytest.mark.parametrize(
    "gravity", ["ce", "noea:5:5", "fp:1:0", "we:100:100", "so:-5:-5", "ce:2000000000:2000000000", "sm"]
)
@pytest.mark.parametrize("width", ["0", "0.0000001", "0.3", "1", "50", "51", "2147483647"])
def test_a_crop_stays_inside_the_picture(width: str, gravity: str) -> None:
    for height in ("0.001", "30", "1000000000"):
        box = told(png(photo(50, 30)), f"c:{width}:{height}:{gravity}")["crop"]
        assert min(box.values()) >= 0
        assert min(box["width"], box["height"]) > 0
        assert max(box["left"] + box["width"], box["top"] + box["height"]) <= 1.0000002


def test_colours_are_told_by_channel() -> None:
    picture = png(plain(300, 200, [200, 30, 40]).draw_rect([20, 40, 180], 0, 0, 100, 200, fill=True))
    first, second = told(picture, "p:2")["palette"]
    assert first == {
        "R": pytest.approx(200, abs=3),
        "G": pytest.approx(30, abs=3),
        "B": pytest.approx(40, abs=3),
        "A": 255,
    }
    assert second["B"] == pytest.approx(180, abs=3)
    average = told(picture, "avg:1")["average"]
    assert average == {
        "R": pytest.approx(140, abs=2), "G": pytest.approx(33, abs=2), "B": pytest.approx(87, abs=2), "A": 255
    }  # fmt: skip
    dominant = told(picture, "dc:1")["dominant_colors"]
    assert list(dominant) == ["vibrant", "dark_vibrant"]
    assert dominant["vibrant"] == {
        "R": pytest.approx(200, abs=3), "G": pytest.approx(30, abs=3), "B": pytest.approx(40, abs=3)
    }  # fmt: skip
    assert len(told(picture, "dc:1:1")["dominant_colors"]) == 6


def test_the_average_of_what_is_transparent_is_asked_for() -> None:
    half = plain(200, 100, [200, 30, 40]).addalpha().draw_rect([0, 0, 0, 0], 0, 0, 100, 100, fill=True)
    kept, whole = told(png(half), "avg:1")["average"], told(png(half), "avg:1:0")["average"]
    assert [kept[name] for name in "RGB"] == [whole[name] for name in "RGB"] == pytest.approx([200, 30, 40], abs=2)
    assert kept["A"] == pytest.approx(246, abs=9)
    assert whole["A"] == pytest.approx(128, abs=4)


def test_hashes_are_texts() -> None:
    facts = told(jpeg(photo(300, 200)), "bh:3:2/th:1/ph:1")
    assert len(facts["blurhash"]) == 4 + 2 * 3 * 2
    assert re.fullmatch(r"[0-9A-F]{30,60}", facts["thumb_hash"])
    assert re.fullmatch(r"[0-9a-f]{16}", facts["perceptual_hash"])
    red, green, _ = blurhash_at(facts["blurhash"], 0.9, 0.1)
    assert red > 180 > 90 > green
    # White is what a page shows behind it.
    clear = plain(40, 40, [0, 0, 0]).addalpha() * [1, 1, 1, 0]
    text = told(png(clear.cast("uchar").copy(interpretation="srgb")), "bh:1:1")["blurhash"]
    assert blurhash_at(text, 0.5, 0.5) == pytest.approx((255, 255, 255), abs=1)


def test_a_placeholder_comes_with_what_a_page_has_to_know() -> None:
    facts = told(jpeg(turned(photo(1000, 700), 6)), "lqip:16")["lqip"]
    assert list(facts) == ["width", "height", "blurDataURL", "widths"]
    assert (facts["width"], facts["height"]) == (700, 1000)
    assert facts["widths"] == [32, 48, 64, 96, 128, 256, 384, 640, 700]
    assert facts["blurDataURL"].startswith("data:image/webp;base64,UklGR")
    assert told(jpeg(photo(640, 20)), "lqip:1")["lqip"]["widths"][-2:] == [384, 640]
    assert told(jpeg(photo(5000, 20)), "lqip:1")["lqip"]["widths"][-3:] == [1920, 2048, 3840]
    assert told(jpeg(photo(5, 5)), "lqip:1")["lqip"]["widths"] == [5]


def test_no_field_depends_on_what_else_is_asked_for() -> None:
    data = jpeg(photo(900, 600).gaussblur(2).cast("uchar"))
    whole = told(data, ALL)
    for option in ALL.split("/"):
        for name, value in told(data, option).items():
            assert whole[name] == value


SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><circle cx="30" cy="30" r="20" fill="red"/></svg>'
)


@pytest.mark.parametrize(
    "data",
    [
        jpeg(photo()),
        png(with_alpha(photo())),
        bytes(photo().webpsave_buffer()),
        bytes(photo(64, 64).heifsave_buffer(compression="av1")),
        bytes(animated([photo(), photo()]).gifsave_buffer()),
        bytes(photo().tiffsave_buffer()),
        SVG,
        pillow("BMP"),
        pillow("ICO"),
        png(plain(1, 1, [5])),
        png(plain(3000, 1, [5, 6, 7])),
        png(plain(1, 3000, [5, 6, 7, 0])),
    ],
    ids=["jpeg", "png", "webp", "avif", "gif", "tiff", "svg", "bmp", "ico", "one pixel", "wide", "high and clear"],
)
def test_all_fields_are_told_of_every_format(data: bytes) -> None:
    facts = measured(data, ALL)
    json.dumps(facts, allow_nan=False)
    assert {"alpha", "crop", "palette", "average", "dominant_colors", "blurhash", "thumb_hash", "lqip"} <= set(facts)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_every_value_of_an_option_has_an_answer(data: st.DataObject) -> None:
    one = data.draw(ops(data.draw(st.sampled_from(PIXEL_FIELDS))))
    facts = told(png(with_alpha(photo(50, 30))), one.text())
    json.dumps(facts, allow_nan=False)


def test_no_broken_file_is_more_than_refused() -> None:
    rnd = random.Random(7)
    wholes = [
        jpeg(photo()),
        png(with_alpha(photo())),
        bytes(photo().webpsave_buffer()),
        bytes(animated([photo(40, 40), photo(40, 40)]).gifsave_buffer()),
        bytes(photo().tiffsave_buffer()),
        SVG,
        pillow("BMP"),
    ]
    for whole in wholes:
        for _ in range(6):
            broken = bytearray(whole[: rnd.randint(1, len(whole))] if rnd.random() < 0.5 else whole)
            for _ in range(rnd.randint(1, 6)):
                broken[rnd.randrange(len(broken))] = rnd.randrange(256)
            # UnsupportedImage and ImageRefused, 415 and 422, and nothing else.
            with suppress(ImageError):
                json.dumps(measured(bytes(broken), ALL), allow_nan=False)


def test_what_editors_wrote_is_told() -> None:
    image = photo().copy()
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/jpeg"/></rdf:RDF></x:xmpmeta>'
    )
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x00\x00\x0b\x1c\x02\x05\x00\x06Spider\x00"
    tags.put_blob(image, "xmp-data", xmp.encode())
    tags.put_blob(image, "iptc-data", iptc)
    facts = measured(jpeg(image), "")
    assert facts["xmp"] == measured(bytes(image.tiffsave_buffer()), "")["xmp"] == {"dc": {"format": "image/jpeg"}}
    assert (facts["iptc"], facts["photoshop"]) == ({"Name": "Spider"}, {})
