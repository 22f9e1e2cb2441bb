"""Options of /info: their grammar, what they ask of models, and what they make of heads and readings."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st

from imgserve.engine.deadline import Deadline
from imgserve.engine.exif import title_of, value_of
from imgserve.engine.header import open_header, orientation_of, size_of
from imgserve.engine.intent import EngineConfig, Limits
from imgserve.engine.load import Opened
from imgserve.errors import BadOption, BadRequest, ImageRefused, OptionForbidden, UnsupportedImage
from imgserve.ops.catalog import CATALOG
from imgserve.ops.info import INFO_CATALOG, extent_of, fields, head_fields, info_grammar
from imgserve.ops.info_fields import Extent, Head, PixelField, ReadingField
from imgserve.ops.info_hashsums import CalcHashsums, Hashsum
from imgserve.ops.info_head import Dimensions, Exif, Iptc, Xmp
from imgserve.ops.info_models import Classify
from imgserve.plan.model import Plan
from imgserve.plan.needs import needs_of
from imgserve.plan.presets import Preset
from imgserve.plan.url import Grammar, parse
from imgserve.plan.writing import write
from imgserve.ports.models import Ask, Detection, Reading, Score, Task
from imgserve.spec.op import Op
from tests.strategies import ops
from tests.web.pictures import jpeg, png

GRAMMAR = info_grammar(Grammar(catalog=CATALOG))
BOX: dict[str, Any] = {"left": 0.1, "top": 0.2, "width": 0.3, "height": 0.4}
PAGE = Path(__file__).parents[2] / "docs" / "info.md"


def plan(options: str, grammar: Grammar = GRAMMAR) -> Plan:
    return parse(f"{options}/plain/local:///a.jpg".removeprefix("/"), grammar)


def told(options: str) -> list[str]:
    return [one.spec.name for one in head_fields(plan(options))]


def photo(**tags: str) -> bytes:
    """Give a JPEG with EXIF tags; names have _ for -, and a turn by 90 degrees."""
    image = pyvips.Image.jpegload_buffer(jpeg()).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    for name, value in tags.items():
        image.set_type(pyvips.GValue.gstr_type, f"exif-{name.replace('_', '-')}", value)
    return bytes(image.jpegsave_buffer())


@contextmanager
def opened(data: bytes, **limits: int) -> Iterator[Opened]:
    with open_header(data, limits=Limits(**limits), config=EngineConfig(), deadline=Deadline()) as found:
        yield found


@contextmanager
def head(data: bytes) -> Iterator[Head]:
    with opened(data) as found:
        yield Head(size=len(data), opened=found)


def test_names_mean_other_things_than_in_urls_of_pictures() -> None:
    assert told("s:0/f:t/d:1/exif:1:1/xmp:0/iptc:0") == ["format", "dimensions", "exif"]
    assert plan("exif:1:1").get(Exif) == Exif(enabled=True, canonical=True)
    for one in ("w:100", "rs:fit:1:1", "rmbg:1", "raw:1", "fn:a", "maf:1"):
        with pytest.raises(BadOption, match="There is no option called"):
            plan(one)


def test_the_head_is_told_unless_the_url_says_no() -> None:
    usual = ["size", "format", "dimensions", "exif", "iptc", "xmp"]
    assert told("") == usual
    assert told("size:0/dimensions:f/exif:0/format:false/iptc:0/xmp:0") == []
    assert told("size:0/size:1") == usual
    assert told("pn:1/sf:1/b:1/cs:1") == [*usual, "colorspace", "bands", "sample_format", "pages_number"]
    assert told("pn:0/cs:f") == usual


def test_models_are_asked_for_what_is_named_alone() -> None:
    asked = plan("do:1/faces:1/text:1/cl:3:dog/nsfw:1")
    assert [ask for one in fields(asked, ReadingField) for ask in one.asks()] == [
        Ask(Task.OBJECTS), Ask(Task.FACES), Ask(Task.TEXT), Ask(Task.CLASSIFY), Ask(Task.NSFW)
    ]  # fmt: skip
    assert len(needs_of(asked)) == 5
    for options in ("", "do:0/faces:f/text:0/cl:0/nsfw:0"):
        assert (fields(plan(options), ReadingField), needs_of(plan(options))) == ([], ())


@pytest.mark.parametrize(
    ("options", "where", "expected"),
    [
        ("detect_object:1", "detect_object", "detect_objects"),
        ("face:1", "face", "faces"),
        ("s:2", "s", "a flag"),
        ("do:", "do", "a flag"),
        ("cl:-1", "cl", "an integer of 0 or more"),
        ("f:webp", "f", "a flag"),
        ("exif:1:1:1", "exif", "at most 2 arguments"),
        ("hs:md4:00", "hs, argument type", "one of none, md5"),
        ("hs:md5:00", "hs, argument hashsum", "32 hex digits"),
        ("hs:md5:" + "g" * 32, "hs, argument hashsum", "32 hex digits"),
        ("pr:small", "preset", "none are configured"),
        ("lqip:0", "lqip", "an integer from 1 to 64"),
        ("lqip:65", "lqip", "an integer from 1 to 64"),
        ("lqip:", "lqip", "an integer from 1 to 64"),
        ("p:1", "p", "an integer from 2 to 256, or 0 for none"),
        ("p:257", "p", "an integer from 0 to 256"),
        ("bh:4", "bh", "an integer from 0 to 9"),
        ("bh:10:1", "bh, argument x_components", "an integer from 0 to 9"),
        ("chs:md4", "chs", "one of md5, sha1, sha256, sha512"),
        ("chs:none", "chs", "one of md5, sha1, sha256, sha512"),
        ("c:-1", "c", "a number of 0 or more"),
        ("c:1:1:obj:face", "c, argument gravity", "sm"),
        ("c:1:1:re", "c, argument gravity", "sm"),
        ("dc:1:2", "dc, argument build_missed", "a flag"),
        ("th:yes", "th", "a flag"),
    ],
)
def test_mistakes_say_where_and_what_is_expected(options: str, where: str, expected: str) -> None:
    with pytest.raises(BadOption) as caught:
        plan(options)
    assert caught.value.where == where
    assert expected in (caught.value.expected or "")


def test_permissions_of_pictures_hold_here() -> None:
    with pytest.raises(OptionForbidden):
        plan("msr:1")
    plan("msr:1/msfs:9", info_grammar(Grammar(catalog=CATALOG, allow_security_options=True)))
    listed = info_grammar(Grammar(catalog=CATALOG, allowed_options=frozenset(["size"])))
    plan("size:0", listed)
    with pytest.raises(OptionForbidden):
        plan("do:1", listed)


def test_a_server_of_presets_alone_tells_the_head_alone() -> None:
    presets = info_grammar(Grammar(catalog=CATALOG, only_presets=True))
    assert [one.spec.name for one in head_fields(plan("exp:32503669200/cb:1/ct:a", presets))]
    for one in ("faces:1", "size:0", "pr:a"):
        with pytest.raises(OptionForbidden):
            plan(one, presets)


@given(st.data())
def test_every_option_is_printed_as_it_is_read(data: st.DataObject) -> None:
    kinds = [cls for cls in INFO_CATALOG.ops if cls is not Preset]
    given_ops: list[Op] = [data.draw(ops(cls)) for cls in data.draw(st.lists(st.sampled_from(kinds), max_size=4))]
    grammar = info_grammar(Grammar(catalog=CATALOG, allow_security_options=True))
    segments = "/".join(one.text() for one in given_ops)
    found = plan(segments, grammar)
    assert parse(write(found).removeprefix("/"), grammar) == found


@given(st.text(max_size=30))
def test_no_text_breaks_the_grammar(text: str) -> None:
    with suppress(BadRequest, BadOption, OptionForbidden):
        assert plan(text).source


def test_sizes_are_those_that_people_see() -> None:
    with head(photo()) as found:
        assert Dimensions().told(found) == {"width": 40, "height": 60, "orientation": 6}
    with opened(png()) as found:
        assert (size_of(found), orientation_of(found)) == ((30, 30), 1)


def test_exif_is_told_in_both_kinds_of_names() -> None:
    data = photo(ifd0_Make="Canon (Japan)", ifd2_FNumber="28/10", ifd2_DateTimeOriginal="2026:01:02 03:04:05")
    with head(data) as found:
        people = Exif().told(found)["exif"]
        canonical = Exif(canonical=True).told(found)["exif"]
    wanted = {"Manufacturer": "Canon", "F-Number": "f/2.8", "Date and Time (Original)": "2026:01:02 03:04:05"}
    assert {name: people[name] for name in wanted} == wanted
    assert (canonical["FNumber"], canonical["Orientation"]) == ("f/2.8", "6")
    assert not any("components" in value for value in canonical.values())
    with head(photo(ifd0_ImageDescription="x" * 3000)) as found:
        assert Exif().told(found)["exif"]["Image Description"] == "x" * 1024
    bare = bytes(pyvips.Image.jpegload_buffer(jpeg()).gifsave_buffer())
    with head(bare) as found:
        assert Exif().told(found) == {"exif": {}}
        assert Iptc().told(found) == {"iptc": {}, "photoshop": {}}
        assert Xmp().told(found) == {"xmp": {}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("28/10 (f/2.8, Rational, 1 components, 8 bytes)", "f/2.8"),
        ("6 (Internal error (unknown value 6), Short, 1 components, 2 bytes)", "6"),
        ("A (b), c (A (b), c, ASCII, 9 components, 9 bytes)", "A (b), c"),
        (" (, ASCII, 1 components, 1 bytes)", ""),
        ("anything else", "anything else"),
    ],
)
def test_the_value_of_a_tag_is_what_people_write(text: str, value: str) -> None:
    assert value_of(text) == value


def test_names_of_tags_are_words() -> None:
    names = ["ISOSpeedRatings", "GPSImgDirection", "FocalLengthIn35mmFilm", "Model", "LensModel"]
    assert [title_of(name) for name in names] == [
        "ISO Speed Ratings", "GPS Img Direction", "Focal Length in 35mm Film", "Model", "Lens Model"
    ]  # fmt: skip


def test_what_is_no_picture_or_too_large_is_refused() -> None:
    with pytest.raises(UnsupportedImage), opened(b"hello"):
        pass
    with pytest.raises(ImageRefused, match="2400 pixels"), opened(jpeg(), max_src_pixels=2399):
        pass
    with pytest.raises(ImageRefused, match="broken"), opened(jpeg()[:20]):
        pass


def test_the_size_of_an_avif_is_that_of_the_picture() -> None:
    image = pyvips.Image.black(64, 48).copy(interpretation="srgb")
    with opened(bytes(image.heifsave_buffer(compression="av1"))) as found:
        assert (found.format, found.thumbnail, size_of(found)) == ("avif", False, (64, 48))


def test_a_hash_sum_is_that_of_the_bytes() -> None:
    for name in ("md5", "sha1", "sha256", "sha512"):
        right = hashlib.new(name, b"abc").hexdigest()
        Hashsum(type=name, hashsum=right.upper()).check(b"abc")
        with pytest.raises(ImageRefused, match=name):
            Hashsum(type=name, hashsum=right).check(b"abd")
    Hashsum(type="none").check(b"abc")


def listed(options: str, reading: Reading) -> dict[str, Any]:
    [field] = fields(plan(options), ReadingField)
    return field.told(reading)


def test_readings_are_told_as_imgproxy_tells_them() -> None:
    seen = Reading(detections=(Detection(label="dog", confidence=0.9, **BOX),))
    written = Reading(detections=(Detection(label="text", confidence=0.9, text="SALE", **BOX),))
    assert listed("do:1", seen) == {"objects": [{"class_name": "dog", "confidence": 0.9, **BOX}]}
    assert listed("faces:1", seen) == {"faces": [{"confidence": 0.9, **BOX}]}
    assert listed("text:1", written) == {"text": [{"text": "SALE", "confidence": 0.9, **BOX}]}
    assert listed("nsfw:1", Reading()) == {"nsfw": []}


def test_classes_are_the_best_of_those_that_are_asked_for() -> None:
    scores = (("tabby cat", 0.5), ("dog", 0.3), ("Tiger Cat", 0.2))
    reading = Reading(scores=tuple(Score(label=label, confidence=sure) for label, sure in scores))
    assert listed("cl:2", reading)["classify"] == [
        {"name": "tabby cat", "confidence": 0.5}, {"name": "dog", "confidence": 0.3}
    ]  # fmt: skip
    assert [one["name"] for one in listed("cl:2:tiger-cat:Tabby_Cat", reading)["classify"]] == [
        "tabby cat",
        "Tiger Cat",
    ]
    assert listed("cl:1:bird", reading) == {"classify": []}
    assert plan("cl:2:a:b").get(Classify) == plan("cl:2:B:a").get(Classify)


@pytest.mark.parametrize(
    ("options", "extent"),
    [
        ("", Extent.HEAD),
        ("size:0/cs:1/b:1/sf:1", Extent.HEAD),
        ("pn:1", Extent.WHOLE),
        ("pn:0", Extent.HEAD),
        ("chs:md5", Extent.WHOLE),
        ("hs:none", Extent.HEAD),
        (f"hs:md5:{'0' * 32}", Extent.WHOLE),
        ("do:1", Extent.WHOLE),
        ("lqip:16", Extent.PIXELS),
        ("p:0/bh:0:5/th:0/ph:f/c:0:0/a:0/avg:0/dc:0", Extent.HEAD),
        ("avg:1/do:1/chs:md5", Extent.PIXELS),
    ],
)
def test_no_more_of_the_source_is_needed_than_the_fields_take(options: str, extent: Extent) -> None:
    assert extent_of(plan(options)) is extent


def test_fields_have_all_names_of_imgproxy() -> None:
    # What its own clients write, of both generations of its documentation.
    asked = plan(
        "bh:0:5/cb:empty/exif:t/f:t/avg:t:f/do:t/dc:t:t/exp:32503669200/iptc:t/pn:t/p:6/s:t/ph:1/th:1/a:1:1/b:1"
    )
    assert [one.spec.name for one in fields(asked, PixelField)] == [
        "alpha", "palette", "average", "dominant_colors", "thumb_hash", "perceptual_hash"
    ]  # fmt: skip
    assert plan("phash:1") == plan("ph:t") == plan("perceptual_hash:1")
    assert plan("c:10:20") == plan("crop:10:20:ce")


def test_hash_sums_are_told_by_kind() -> None:
    found = CalcHashsums(kinds=("sha256", "md5", "md5")).told(b"abc")
    assert found == {
        "hashsums": {
            "md5": "900150983cd24fb0d6963f7d28e17f72",
            "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        }
    }


def test_every_option_is_documented_with_all_its_names() -> None:
    page = PAGE.read_text("utf-8")
    assert [name for name in INFO_CATALOG.by_name if not re.search(rf"`{name}`", page)] == []
