"""The grammar: the reference's parser vectors, with our status codes, and text -> Plan -> text."""

from __future__ import annotations

import base64
import dataclasses
import re

import pytest

from imgserve.engine.intent import Intent
from imgserve.errors import BadOption, BadRequest, NotFound, OptionForbidden, RequestError
from imgserve.ops.behaviour import Setting, Transform
from imgserve.ops.catalog import CATALOG
from imgserve.ops.delivery import Cachebuster, Expires, Filename
from imgserve.ops.filters import Blur, Pixelate
from imgserve.ops.geometry import Dpr, Width
from imgserve.ops.overlay import Watermark
from imgserve.plan.model import Plan
from imgserve.plan.presets import parse_strings
from imgserve.plan.url import Grammar, compile_replacement, parse, parse_options, repair, split_signature
from imgserve.plan.writing import write
from imgserve.spec.op import Op
from imgserve.spec.values import Colour, Gravity, GravityType, ResizingType

URL = "http://images.dev/lorem/ipsum.jpg"
ENCODED = base64.urlsafe_b64encode(URL.encode()).rstrip(b"=").decode()


def intent_of(plan: Plan) -> Intent:
    intent = Intent()
    for one in plan.ops:
        if isinstance(one, Setting | Transform):
            intent = one.configure(intent)
    return intent


def read(path: str, grammar: Grammar) -> Intent:
    return intent_of(parse(path, grammar))


def plain(options: str, grammar: Grammar) -> Intent:
    return read(f"{options}/plain/{URL}", grammar)


def with_presets(grammar: Grammar, *lines: str, **changes: object) -> Grammar:
    presets = parse_strings(lines, lambda segments: parse_options(segments, grammar))
    return dataclasses.replace(grammar, presets=presets, **changes)  # type: ignore[arg-type]


class TestSources:
    def test_base64_with_extension(self, grammar: Grammar) -> None:
        plan = parse(f"size:100:100/{ENCODED}.png", grammar)
        intent = intent_of(plan)
        assert plan.source == URL
        assert (intent.width, intent.height, intent.format) == (100, 100, "png")

    def test_base64_may_be_cut_anywhere(self, grammar: Grammar) -> None:
        cut = "/".join(ENCODED[at : at + 7] for at in range(0, len(ENCODED), 7))
        assert parse(f"w:1/{cut}", grammar).source == URL

    def test_base64_with_padding(self, grammar: Grammar) -> None:
        padded = base64.urlsafe_b64encode(b"http://a.dev/x.jpg").decode()
        assert parse(f"w:1/{padded}", grammar).source == "http://a.dev/x.jpg"

    def test_base64_with_a_file_name(self, grammar: Grammar) -> None:
        named = dataclasses.replace(grammar, base64_includes_filename=True)
        assert parse(f"size:100:100/{ENCODED}.png/puppy.jpg", named) == parse(f"size:100:100/{ENCODED}.png", grammar)

    def test_plain_with_extension(self, grammar: Grammar) -> None:
        plan = parse(f"size:100:100/plain/{URL}@png", grammar)
        assert plan.source == URL
        assert intent_of(plan).format == "png"

    def test_plain_fully_percent_encoded(self, grammar: Grammar) -> None:
        escaped = "".join(f"%{byte:02X}" for byte in URL.encode())
        assert parse(f"size:100:100/plain/{escaped}@png", grammar).source == URL

    def test_plain_keeps_plus_and_decodes_once(self, grammar: Grammar) -> None:
        assert parse("plain/local:///a+b%2520c.jpg", grammar).source == "local:///a+b%20c.jpg"

    def test_empty_extension_is_no_extension(self, grammar: Grammar) -> None:
        assert parse(f"w:1/plain/{URL}@", grammar) == parse(f"w:1/plain/{URL}", grammar)

    def test_extension_wins_over_format(self, grammar: Grammar) -> None:
        assert read(f"f:webp/plain/{URL}@png", grammar).format == "png"

    def test_extension_is_ignored_with_raw(self, grammar: Grammar) -> None:
        assert read(f"raw:1/plain/{URL}@png", grammar).format is None

    def test_base_url_goes_before_what_lacks_it(self, grammar: Grammar) -> None:
        based = dataclasses.replace(grammar, base_url="http://images.dev/")
        assert parse("plain/lorem/ipsum.jpg", based).source == URL
        assert parse(f"plain/{URL}", based).source == URL

    def test_replacements(self, grammar: Grammar) -> None:
        replaced = dataclasses.replace(
            grammar, url_replacements=(compile_replacement("test://*", "http://images.dev/${1}/dolor"),)
        )
        assert parse("plain/test://lorem/ipsum.jpg", replaced).source == "http://images.dev/lorem/dolor/ipsum.jpg"

    @pytest.mark.parametrize(
        ("path", "sentence"),
        [
            ("w:1", "source is missing"),
            ("w:1/", "source is missing"),
            ("w:1/plain/", "source URL is empty"),
            ("plain/@png", "source URL is empty"),
            (f"plain/{URL}@png@jpg", "Several formats"),
            (f"{ENCODED}.png.jpg", "Several formats"),
            ("plain/http://a.dev/%zz", "broken percent escape"),
            ("plain/http://a.dev/%00", "control characters"),
            ("plain/http://a.dev/%ff", "not UTF-8"),
            ("w:1/not*base64", "neither plain"),
            ("w:1/AAAAA", "cut short"),
            (f"plain/{URL}@bad_format", "expected one of jpeg"),
            ("fit/300/200/no/1/plain/x", "resize:fit"),
        ],
    )
    def test_what_is_wrong_is_said(self, path: str, sentence: str, grammar: Grammar) -> None:
        with pytest.raises(RequestError, match=re.escape(sentence)) as wrong:
            parse(path, grammar)
        assert wrong.value.status == 400


class TestOptions:
    def test_argument_separator(self, grammar: Grammar) -> None:
        commas = dataclasses.replace(grammar, separator=",")
        intent = read(f"size,100,100,1/plain/{URL}", commas)
        assert (intent.width, intent.height, intent.enlarge) == (100, 100, True)

    def test_resize(self, grammar: Grammar) -> None:
        intent = plain("resize:fill:100:200:1", grammar)
        assert (intent.resizing_type, intent.width, intent.height, intent.enlarge) == (
            ResizingType.FILL,
            100,
            200,
            True,
        )

    def test_empty_arguments_keep_what_was_said_before(self, grammar: Grammar) -> None:
        intent = plain("rs:fill:100:200/rs::300", grammar)
        assert (intent.resizing_type, intent.width, intent.height) == (ResizingType.FILL, 300, 200)

    @pytest.mark.parametrize(
        ("option", "field", "value"),
        [
            ("extend:1:so:10:20", "extend_gravity", Gravity(GravityType.SOUTH, 10, 20)),
            ("gravity:fp:0.5:0.75", "gravity", Gravity(GravityType.FOCUS_POINT, 0.5, 0.75)),
            ("crop:100:200:nowe:10:20", "crop_gravity", Gravity(GravityType.NORTH_WEST, 10, 20)),
            ("crop:100:200", "crop_gravity", None),
            ("background:128:129:130", "background", Colour(128, 129, 130)),
            ("background:ffddee", "background", Colour(255, 221, 238)),
            ("bg:FDE", "background", Colour(255, 221, 238)),
            ("background:fff/background:", "background", None),
            ("skp:jpg:png", "skip_processing", ("jpeg", "png")),
            ("skp:jpg/skp:png", "skip_processing", ("jpeg", "png")),
            ("ph:1", "preserve_hdr", True),
            ("el:t", "enlarge", True),
            ("el:True", "enlarge", True),
            ("z:1.5", "zoom_y", 1.5),
            ("z:1.5:2", "zoom_y", 2.0),
            ("z:2:3/z:4", "zoom_y", 4.0),
            ("rot:-90", "rotate", 270),
            ("rot:450", "rotate", 90),
            ("fq:webp:50:jpg:60", "format_quality", {"webp": 50, "jpeg": 60}),
            ("pd:1:2:3:4", "padding_left", 4),
            ("pd:1:2", "padding_left", 2),
            ("pd:1:2", "padding_bottom", 1),
            ("pd:1", "padding_left", 1),
            ("pd:1::3", "padding_right", 1),
            ("fl:0:1", "flip_vertical", True),
            ("min-width:5", "min_width", 5),
            ("mh:6", "min_height", 6),
            ("exar:1:ea", "extend_aspect_ratio_gravity", Gravity(GravityType.EAST)),
            ("dpr:2", "dpr", 2.0),
            ("f:jpg", "format", "jpeg"),
            ("ext:webp", "format", "webp"),
            ("w:1e2", "width", None),
            ("dpr:0.50000000000000000000000001", "dpr", 0.5),
        ],
    )
    def test_values(self, option: str, field: str, value: object, grammar: Grammar) -> None:
        if option == "w:1e2":
            with pytest.raises(BadOption, match="integer"):
                plain(option, grammar)
        else:
            assert getattr(plain(option, grammar), field) == value

    def test_pixel_options(self, grammar: Grammar) -> None:
        plan = parse(f"bl:0.2/pix:5/wm:0.5:soea:10:20:0.6/plain/{URL}", grammar)
        assert plan.get(Blur) == Blur(sigma=0.2)
        assert plan.get(Pixelate) == Pixelate(size=5)
        watermark = plan.get(Watermark)
        assert watermark is not None
        assert (watermark.opacity, watermark.position) == (0.5, "soea")
        assert (watermark.x, watermark.y, watermark.scale) == (10, 20, 0.6)

    def test_delivery_options_are_apart(self, grammar: Grammar) -> None:
        plan = parse(f"exp:32503669200/fn:test/cb:123/att:1/plain/{URL}", grammar)
        assert plan.ops == ()
        assert plan.get(Expires) == Expires(timestamp=32503669200)

    def test_an_encoded_file_name(self, grammar: Grammar) -> None:
        name = base64.urlsafe_b64encode("prix: 5 €".encode()).rstrip(b"=").decode()
        assert parse(f"fn:{name}:1/plain/{URL}", grammar).get(Filename) == Filename(name="prix: 5 €")

    @pytest.mark.parametrize(
        "option",
        [
            "extend:1:sm", "extend:1:re", "gravity:re", "crop:100:200:re", "exp:tomorrow", "skp:jpg:png:bad_format",
            "w:", "w:-1", "w:1.5", "w:1_0", "w: 1", "w:٣", "w:99999999999", "el:yes", "el:", "blur:NaN", "blur:Inf",
            "blur:0x1p4", "blur:-1", "zoom:0", "dpr:0", "crop:-1:5", "crop:", "gravity:fp:0.5", "gravity:fp:2:0.5",
            "gravity:sm:1:1", "gravity:ce:1:1:1", "background:1:2", "background:1:2:300", "background:1:2:3:4",
            "background:#fff", "rotate:45", "quality:101", "fq:jpg", "fq:jpg:50:webp", "pd:", "pd:1:2:3:4:5",
            "resize:nope:1:1", "rs:fit:1:1:1:1:ce:0:0:0", "preset:nope", "wm:2", "nope:1", "fn:*:1", "f:tif",
        ],
    )  # fmt: skip
    def test_bad_arguments_are_refused_with_where_got_and_expected(self, option: str, grammar: Grammar) -> None:
        with pytest.raises(BadOption) as wrong:
            plain(option, grammar)
        assert wrong.value.status == 400
        assert wrong.value.where
        assert wrong.value.expected

    def test_bad_format_is_named(self, grammar: Grammar) -> None:
        with pytest.raises(BadOption, match=r"skp.*bad_format"):
            plain("skp:jpg:png:bad_format", grammar)

    def test_options_of_real_clients(self, grammar: Grammar) -> None:
        path = "bl:5/el:t/ex:t:nowe::5/f:webp/h:150/q:80/w:150/z:1.5/plain/https://example.com/host/pic.png"
        intent = read(path, grammar)
        assert intent.extend_gravity == Gravity(GravityType.NORTH_WEST, 0, 5)
        assert intent_of(parse("g:ce/rs:auto:1:2:0/plain/x", grammar)).resizing_type is ResizingType.AUTO

    def test_trailing_empty_arguments_do_not_count(self, grammar: Grammar) -> None:
        assert plain("wm:0.5:ce:::::", grammar) == plain("wm:0.5:ce", grammar)

    def test_a_watermark_may_have_two_arguments_more_as_in_imgproxy(self, grammar: Grammar) -> None:
        assert plain("wm:0.5:soea:10:20:0.6:0:0", grammar) == plain("wm:0.5:soea:10:20:0.6", grammar)
        with pytest.raises(BadOption, match="at most"):
            plain("wm:0.5:soea:10:20:0.6:0:0:0", grammar)

    @pytest.mark.parametrize(
        ("option", "hint"),
        [("resze:fit:1:1", "Did you mean 'resize'"), ("https://a.dev/x.jpg", "written plain/https://")],
    )
    def test_an_unknown_option_is_answered_with_a_hint(self, option: str, hint: str, grammar: Grammar) -> None:
        with pytest.raises(BadOption, match=hint):
            parse(option, grammar)

    def test_numbers_that_are_nothing_are_nothing(self, grammar: Grammar) -> None:
        assert plain("blur:1e-300", grammar) == plain("blur:0", grammar)
        with pytest.raises(BadOption):
            plain("dpr:1e-300", grammar)

    def test_a_replacement_names_stars_that_exist(self) -> None:
        with pytest.raises(ValueError, match="stands for nothing"):
            compile_replacement("a*", "b${2}")

    def test_too_many_options(self, grammar: Grammar) -> None:
        with pytest.raises(BadRequest, match="at most 100"):
            plain("/".join(["w:1"] * 101), grammar)

    def test_security_options_need_permission(self, grammar: Grammar) -> None:
        with pytest.raises(OptionForbidden, match="IMGSERVE_ALLOW_SECURITY_OPTIONS"):
            plain("msr:1", grammar)
        permitted = dataclasses.replace(grammar, allow_security_options=True)
        assert plain("msr:1/maf:5", permitted).limits.max_src_pixels == 1_000_000

    def test_allowed_options_are_names_as_written(self, grammar: Grammar) -> None:
        allowed = with_presets(grammar, "test1=blur:0.2", allowed_options=frozenset({"w", "h", "pr"}))
        assert plain("w:100/h:200", allowed).height == 200
        assert parse(f"w:100/pr:test1/plain/{URL}", allowed).get(Blur) == Blur(sigma=0.2)
        for path in ("w:100/h:200/blur:10", "width:100"):
            with pytest.raises(OptionForbidden, match="not permitted"):
                plain(path, allowed)

    def test_client_hints_lose_to_the_url(self, grammar: Grammar) -> None:
        hints: list[Op] = [Width(width=50), Dpr(dpr=2)]
        assert intent_of(parse(f"h:1/plain/{URL}", grammar, hints=hints)).width == 50
        intent = intent_of(parse(f"width:150/dpr:3.0/plain/{URL}", grammar, hints=hints))
        assert (intent.width, intent.dpr) == (150, 3.0)


class TestPresets:
    def test_presets_expand_in_place(self, grammar: Grammar) -> None:
        presets = with_presets(grammar, "test1=resizing_type:fill", "test2=blur:0.2/quality:50")
        plan = parse(f"preset:test1:test2/plain/{URL}", presets)
        assert intent_of(plan).resizing_type is ResizingType.FILL
        assert intent_of(plan).quality == 50
        assert plan.get(Blur) == Blur(sigma=0.2)

    def test_default_comes_first(self, grammar: Grammar) -> None:
        presets = with_presets(grammar, "default=resizing_type:fill/blur:0.2/quality:50")
        intent = plain("quality:70", presets)
        assert (intent.resizing_type, intent.quality) == (ResizingType.FILL, 70)

    def test_a_loop_ends(self, grammar: Grammar) -> None:
        presets = with_presets(
            grammar, "test1=resizing_type:fill/preset:test2", "test2=resizing_type:fill/blur:0.2/preset:test1"
        )
        assert parse(f"preset:test1/plain/{URL}", presets).get(Blur) == Blur(sigma=0.2)

    def test_presets_cannot_multiply_without_end(self, grammar: Grammar) -> None:
        lines = ["p0=w:1/w:2"] + [f"p{at}=pr:p{at - 1}:p{at - 1}:p{at - 1}" for at in range(1, 12)]
        with pytest.raises(BadRequest, match="at most 100"):
            plain("pr:p11", with_presets(grammar, *lines))

    def test_only_presets(self, grammar: Grammar) -> None:
        presets = with_presets(grammar, "test1=width:100", "test2=quality:50", only_presets=True)
        intent = read(f"test1:test2/plain/{URL}@png", presets)
        assert (intent.width, intent.quality, intent.format) == (100, 50, "png")
        with pytest.raises(BadOption, match="no preset"):
            read(f"w:100/plain/{URL}", presets)


class TestSplitting:
    @pytest.mark.parametrize(
        ("raw", "path"),
        [
            (b"/sig/rs%3Afill%3A300%3A200/plain/https://example.com/a.jpg", f"rs:fill:300:200/plain/{'https://example.com/a.jpg'}"),
            (b"/sig/w:1/plain/https:/example.com/a.jpg", "w:1/plain/https://example.com/a.jpg"),
            (b"/sig/plain/local:/image.jpg", "plain/local:///image.jpg"),
            (b"/sig/plain/local:///image.jpg", "plain/local:///image.jpg"),
            (b"/sig/plain/http:", "plain/http:"),
            (b"/sig/w:1/plain/https://example.com/a%3Ab.jpg", "w:1/plain/https://example.com/a%3Ab.jpg"),
            (b"/sig/w%3a1/AAAA", "w%3a1/AAAA"),
        ],
    )  # fmt: skip
    def test_repair(self, raw: bytes, path: str) -> None:
        assert split_signature(raw) == ("sig", path)
        assert repair(path) == path

    @pytest.mark.parametrize("raw", [b"/", b"/word", b""])
    def test_what_is_no_image_url_is_not_found(self, raw: bytes) -> None:
        with pytest.raises(NotFound):
            split_signature(raw)

    @pytest.mark.parametrize("raw", [b"//w:1/plain/x", b"/sig/"])
    def test_an_empty_part_is_a_bad_request(self, raw: bytes) -> None:
        with pytest.raises(BadRequest):
            split_signature(raw)

    def test_prefix(self) -> None:
        assert split_signature(b"/img/sig/w:1/AAAA", prefix="/img") == ("sig", "w:1/AAAA")
        with pytest.raises(NotFound):
            split_signature(b"/images/sig/w:1/AAAA", prefix="/img")


def test_writing_refuses_what_no_url_can_hold() -> None:
    class Fake:
        spec = Width.spec

        def arguments(self) -> list[str]:
            return ["a/b"]

    with pytest.raises(BadOption, match="cannot stand in a URL"):
        write(Plan(source=URL, ops=(Fake(),)))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a b", "ä", 'a"b', "a|b", "a%3Ab", "a:b", "a?b", "{a}"])
def test_writing_refuses_what_browsers_would_change(name: str) -> None:
    with pytest.raises(BadOption) as caught:
        write(Plan(source=URL, delivery=(Cachebuster(value=name),)))
    assert caught.value.expected is not None
    assert "browsers escape" in caught.value.expected


@pytest.mark.parametrize("source", ["https://a.example/../b.jpg", "https://a.example/./b", "local:///.."])
def test_sources_that_browsers_would_resolve_are_written_in_base64_alone(source: str, grammar: Grammar) -> None:
    with pytest.raises(BadRequest, match="would resolve"):
        write(Plan(source=source))
    assert parse(write(Plan(source=source), encode=True).removeprefix("/"), grammar).source == source


@pytest.mark.parametrize("encode", [False, True])
@pytest.mark.parametrize("example", [cls.spec.example for cls in CATALOG.ops])
def test_every_example_prints_and_parses_back(example: str, encode: bool, grammar: Grammar) -> None:
    permitted = with_presets(grammar, "grid=rs:fill:600:400", allow_security_options=True)
    plan = parse(f"{example}/plain/https://example.com/a%40b%3Fc%20d.jpg", permitted)
    assert parse(write(plan, encode=encode).removeprefix("/"), permitted) == plan


def test_a_grammar_with_other_permissions_does_not_know_what_this_one_read() -> None:
    free = Grammar(catalog=CATALOG)
    parse("w:10/plain/x", free)
    with pytest.raises(OptionForbidden):
        parse("w:10/plain/x", dataclasses.replace(free, allowed_options=frozenset(["height"])))


def test_urls_that_share_their_options_share_what_was_read() -> None:
    grammar = Grammar(catalog=CATALOG)
    one, other = parse("w:10/plain/x", grammar), parse("w:10/plain/y", grammar)
    assert one.ops is other.ops
    assert (one.source, other.source) == ("x", "y")
    assert parse("w:10/plain/x@png", grammar).ops != one.ops
    for number in range(2000):
        parse(f"w:{number + 20}/plain/x", grammar)
    assert parse("w:10/plain/x", grammar) == one
