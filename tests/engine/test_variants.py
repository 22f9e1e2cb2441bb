"""Variants made together are what each would be alone: the same bytes, the same errors, of one decoding."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from imgserve.engine import tags
from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import EngineConfig, Intent, Limits
from imgserve.engine.pipeline import Rendered, render
from imgserve.engine.sharing import Variant
from imgserve.engine.variants import render_variants
from imgserve.errors import ImageRefused, ImgserveError, RenderTimeout, UnsupportedImage
from imgserve.ops.behaviour import Setting, Transform
from imgserve.ops.catalog import CATALOG
from imgserve.ops.trim import Trim
from imgserve.spec.op import Op, Stage
from imgserve.spec.values import Colour
from tests import strategies
from tests.engine.pictures import (
    FILL,
    SMART,
    animated,
    decoded,
    deep,
    jpeg,
    make,
    photo,
    plain,
    png,
    turned,
    with_alpha,
)

FORMATS = ("jpeg", "webp", "avif")
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200"><circle cx="150" cy="100" r="90" fill="teal" '
    b'fill-opacity="0.6"/></svg>'
)
LIMITS = Limits(max_src_pixels=2_000_000, max_animation_frames=10, max_result_pixels=1_000_000)
OTHERS = ("avif", "tiff", "bmp", "ico")
SHAPED = [op for op in CATALOG.ops if op.spec.stage not in (Stage.META, Stage.DELIVERY)]


#: Photographs are large enough for every factor of a JPEG decoder.
MAKERS: dict[str, Callable[[], bytes]] = {
    "jpeg on its side": lambda: jpeg(turned(photo(720, 480), 6)),
    "progressive jpeg": lambda: jpeg(photo(720, 480), interlace=True),
    "cmyk jpeg": lambda: jpeg(photo(720, 480).icc_export(output_profile="cmyk")),
    "wide gamut jpeg": lambda: jpeg(photo(720, 480), profile="p3"),
    "tiny jpeg": lambda: jpeg(photo(3, 2)),
    "broken jpeg": lambda: jpeg(photo(720, 480))[:4000],
    "png with alpha": lambda: png(with_alpha(photo(240, 160))),
    "16-bit png": lambda: png(deep(photo(240, 160))),
    "palette png": lambda: png(photo(120, 80), palette=True),
    "webp": lambda: bytes(photo(720, 480).webpsave_buffer()),
    "webp with alpha": lambda: bytes(with_alpha(photo(720, 480)).webpsave_buffer()),
    "gif animation": lambda: bytes(animated([photo(60, 40), photo(60, 40).invert()], delays=[30, 70]).gifsave_buffer()),
    "svg": lambda: SVG,
    **{name: partial(lambda name: make(png(photo(240, 160)), format=name).data, name) for name in OTHERS},
}


@cache
def source(kind: str) -> bytes:
    return MAKERS[kind]()


SOURCES = tuple(MAKERS)
CONFIG = EngineConfig(watermark=png(with_alpha(photo(20, 10))))


def make_alone(data: bytes, variant: Variant, *, config: EngineConfig = CONFIG) -> Rendered:
    intent, transforms = variant.intent, variant.transforms
    return render(data, intent=intent, transforms=transforms, config=config, deadline=Deadline(30))


def alone(data: bytes, variant: Variant, *, config: EngineConfig = CONFIG) -> Rendered | tuple[type, str]:
    try:
        return make_alone(data, variant, config=config)
    except ImgserveError as error:
        return type(error), error.message


def together(
    data: bytes, variants: Sequence[Variant], *, config: EngineConfig = CONFIG, **options: Any
) -> list[Rendered | tuple[type, str]]:
    """Give the outcomes in the order of the variants; errors as what tells them apart."""
    options = {"deadline": Deadline(60), **options}
    got = list(render_variants(data, variants, config=config, **options))
    assert sorted(index for index, _ in got) == list(range(len(variants)))
    outcomes = dict(got)
    return [
        (type(one), one.message) if isinstance(one, ImgserveError) else one
        for one in (outcomes[index] for index in range(len(variants)))
    ]


def assert_equal(data: bytes, variants: Sequence[Variant], **options: Any) -> None:
    config = options.get("config", CONFIG)
    assert together(data, variants, **options) == [alone(data, one, config=config) for one in variants]


def ladder(*widths: int, formats: Sequence[str] = FORMATS, **wanted: Any) -> list[Variant]:
    wanted = {"limits": LIMITS, **wanted}
    return [Variant(intent=Intent(width=width, format=name, **wanted)) for width in widths for name in formats]


def with_ops(*ops: Op, **wanted: Any) -> Variant:
    """Describe a variant as the service does of a plan."""
    intent = Intent(**{"limits": LIMITS, **wanted})
    for one in ops:
        if isinstance(one, Setting | Transform):
            intent = one.configure(intent)
    return Variant(intent=intent, transforms=[one for one in ops if isinstance(one, Transform)])


def example(cls: type[Op]) -> Op:
    name, *pieces = cls.spec.example.split(":")
    return CATALOG.parse(name, pieces)


class Decodings(Deadline):
    """Counts how often libvips computes pixels of a loader's picture to the end."""

    def __init__(self) -> None:
        super().__init__(60)
        self.count = 0

    def watch(self, image: pyvips.Image) -> pyvips.Image:
        # What is made of a counted picture inherits the tag, and is not counted again.
        if not image.get_typeof("counted"):
            tags.put_integer(image, "counted", 1)
            image.set_progress(True)
            image.signal_connect("posteval", self._computed)
        return super().watch(image)

    def _computed(self, _image: object, _progress: object) -> None:
        self.count += 1


@pytest.mark.parametrize("kind", SOURCES)
def test_a_ladder_of_sizes_and_formats_has_the_bytes_of_single_renders(kind: str) -> None:
    widths = (50, 80, 110, 230) if kind in ("gif animation", "ico") else (50, 80, 110, 170, 230, 350, 700)
    assert_equal(source(kind), ladder(*widths, formats=("jpeg", "webp", "png")))


@pytest.mark.parametrize("kind", SOURCES)
def test_crops_turns_and_colours_have_the_bytes_of_single_renders(kind: str) -> None:
    choices: list[dict[str, Any]] = [
        {"width": 60, "height": 60, "resizing_type": FILL, "gravity": SMART},
        {"width": 90, "crop_width": 0.5, "crop_height": 0.4, "rotate": 90},
        {"width": 90, "auto_rotate": False, "flip_horizontal": True},
        {"width": 40, "height": 50, "extend": True, "padding_left": 7},
        {"width": 70, "background": Colour(200, 10, 30), "strip_color_profile": False},
        {"width": 70, "preserve_hdr": True, "strip_metadata": False},
        {"width": 130, "max_bytes": 1500},
        {"enforce_thumbnail": True, "width": 20},
    ]
    names = (*FORMATS, "png", None)
    variants = [Variant(intent=Intent(format=name, limits=LIMITS, **one)) for one in choices for name in names]
    assert_equal(source(kind), variants)


@pytest.mark.parametrize("op", SHAPED, ids=lambda op: op.spec.name)
def test_every_option_may_stand_in_variants(op: type[Op]) -> None:
    one = example(op)
    variants = [with_ops(one, width=width, format=name) for width in (40, 90) for name in ("jpeg", "webp", "png")]
    for kind in ("jpeg on its side", "png with alpha"):
        assert_equal(source(kind), variants)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(SOURCES),
    st.lists(st.sampled_from(SHAPED).flatmap(strategies.ops), max_size=3, unique_by=type),
    st.lists(st.tuples(st.integers(0, 300), st.sampled_from(["jpeg", "webp", "png", "gif", "bmp"])), max_size=5),
)
def test_any_options_give_what_single_renders_give(kind: str, ops: list[Op], wanted: list[tuple[int, str]]) -> None:
    made = [with_ops(*ops, width=width, format=name) for width, name in wanted]
    # Options may raise the limits; this is not to take minutes for them.
    variants = [replace(one, intent=replace(one.intent, limits=LIMITS)) for one in made]
    assert_equal(source(kind), variants)


def decodings(data: bytes, variants: Sequence[Variant], *, pyramid: bool = False) -> float:
    """Count decodings, in those of a single render: some loaders of libvips compute in two passes."""
    single, deadline = Decodings(), Decodings()
    render(data, intent=variants[0].intent, config=CONFIG, deadline=single)
    together(data, variants, deadline=deadline, pyramid=pyramid)
    return deadline.count / single.count


@pytest.mark.parametrize("kind", ["progressive jpeg", "webp"])
def test_formats_of_one_size_are_made_of_one_decoding(kind: str) -> None:
    assert decodings(source(kind), ladder(100, formats=("jpeg", "webp", "avif", "png"))) == 1


def test_a_jpeg_is_decoded_once_for_each_factor_of_its_decoder() -> None:
    assert decodings(source("progressive jpeg"), ladder(350, 300, 170, 120, 80, 60)) == 3


@pytest.mark.parametrize("kind", ["png with alpha", "tiff", "avif"])
def test_a_source_whose_decoder_cannot_shrink_is_decoded_once(kind: str) -> None:
    assert decodings(source(kind), ladder(200, 110, 60, 30)) == 1


@cache
def scene() -> pyvips.Image:
    """Soft shapes and hard edges; the pattern of `photo` is all aliasing, of which no two filters make the same."""
    grain = pyvips.Image.gaussnoise(1200, 800, mean=128, sigma=400, seed=3).gaussblur(6)
    bands = grain.bandjoin(grain.flip("horizontal")).bandjoin(grain.flip("vertical"))
    soft = bands.cast("uchar").copy(interpretation="srgb")
    return soft.insert(plain(300, 200, [250, 40, 40]), 200, 150)


def difference_db(one: bytes, other: bytes) -> float:
    """Peak signal-to-noise ratio."""
    error = ((decoded(one).cast("float") - decoded(other).cast("float")) ** 2).avg()
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


@pytest.mark.parametrize("saver", ["jpegsave_buffer", "webpsave_buffer"])
def test_a_pyramid_is_of_one_decoding_and_looks_the_same(saver: str) -> None:
    data = bytes(getattr(scene(), saver)(Q=90))
    variants = ladder(580, 400, 290, 200, 140, 70, formats=("png",))
    assert decodings(data, variants, pyramid=True) == 1
    got = together(data, variants, pyramid=True)
    for one, variant in zip(got, variants, strict=True):
        single = make_alone(data, variant)
        assert isinstance(one, Rendered)
        assert (one.width, one.height) == (single.width, single.height)
        # libwebp scales with a box filter of its own, further from a resize of all pixels than the pyramid is.
        full = make_alone(data, variant, config=replace(CONFIG, disable_shrink_on_load=True))
        assert difference_db(one.data, full.data) > 40
        assert difference_db(one.data, single.data) > (40 if saver == "jpegsave_buffer" else 35)


@pytest.mark.parametrize("kind", SOURCES)
def test_a_pyramid_keeps_sizes_and_errors(kind: str) -> None:
    variants = ladder(50, 80, 230, 350, formats=("jpeg", "png"))
    for got, single in zip(
        together(source(kind), variants, pyramid=True), [alone(source(kind), one) for one in variants], strict=True
    ):
        if isinstance(got, Rendered) and isinstance(single, Rendered):
            assert (got.width, got.height, got.mime) == (single.width, single.height, single.mime)
        else:
            assert got == single


@pytest.mark.parametrize("kind", ["png with alpha", "webp with alpha", "tiff", "avif", "svg"])
def test_other_sources_have_the_same_bytes_with_a_pyramid(kind: str) -> None:
    assert_equal(source(kind), ladder(40, 90, 160), pyramid=True)


@pytest.mark.parametrize("most", [0, 3 * 100 * 67])
def test_what_is_too_large_to_hold_is_made_without(most: int) -> None:
    variants = [*ladder(350, 300, 100), with_ops(Trim(threshold=10), width=90), with_ops(Trim(threshold=10), width=80)]
    for pyramid in (False, True):
        got = together(source("progressive jpeg"), variants, max_shared_bytes=most, pyramid=pyramid)
        assert all(isinstance(one, Rendered) for one in got)
    assert_equal(source("progressive jpeg"), variants, max_shared_bytes=most)
    assert_equal(source("bmp"), variants, max_shared_bytes=most)


def test_an_error_of_one_variant_does_not_end_the_others() -> None:
    refused = Intent(width=3000, enlarge=True, format="png", limits=LIMITS)
    unmade = Intent(width=50, format="jxl")
    variants = [*ladder(50, 90), Variant(intent=refused), Variant(intent=unmade), *ladder(120)]
    got = together(source("jpeg on its side"), variants)
    assert [type(one) is Rendered for one in got] == [True] * 6 + [False] * 2 + [True] * 3
    assert_equal(source("jpeg on its side"), variants)


def test_a_source_that_cannot_be_read_is_an_error_of_each() -> None:
    variants = ladder(50, 90)
    for data, error in ((b"no picture", UnsupportedImage), (jpeg(photo(9, 9))[:40], ImageRefused)):
        assert [got[0] for got in together(data, variants) if isinstance(got, tuple)] == [error] * len(variants)
        assert_equal(data, variants)


def test_sources_served_as_they_are_stand_beside_others() -> None:
    variants = [Variant(intent=Intent()), *ladder(40, 60), Variant(intent=Intent(skip_processing=("jpeg",)))]
    assert_equal(SVG, variants)
    assert_equal(source("progressive jpeg"), variants)


def test_no_variants_are_no_work() -> None:
    assert list(render_variants(b"", [], config=CONFIG, deadline=Deadline(1))) == []


def test_a_deadline_that_is_over_ends_all_that_is_left() -> None:
    got = together(source("jpeg on its side"), ladder(50, 90), deadline=Deadline(0))
    assert [one[0] for one in got if isinstance(one, tuple)] == [RenderTimeout] * 6


def test_killed_work_ends_with_what_is_done() -> None:
    deadline = Deadline(60)
    outcomes = []
    for index, outcome in render_variants(source("webp"), ladder(50, 90, 200), config=CONFIG, deadline=deadline):
        outcomes.append((index, type(outcome)))
        deadline.kill()
    assert [kind for _, kind in outcomes] == [Rendered] + [RenderTimeout] * 8
    assert len({index for index, _ in outcomes}) == 9


def test_results_that_nobody_waits_for_are_not_made() -> None:
    deadline = Decodings()
    iterator = render_variants(source("progressive jpeg"), ladder(300, 90), config=CONFIG, deadline=deadline)
    next(iterator)
    iterator.close()  # type: ignore[attr-defined] # it is a generator
    assert deadline.count == 1
    assert not deadline._images
