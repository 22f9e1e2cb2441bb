from __future__ import annotations

import pytest
import pyvips

from imgserve.app.grammar import build_grammar
from imgserve.cli.batch import plan_of
from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.pipeline import Rendered, render
from imgserve.ops.behaviour import Transform
from imgserve.service.intents import intent_of
from imgserve.settings import Settings

GRAMMAR = build_grammar(Settings())


def source(width: int, height: int) -> bytes:
    """A dark box in the middle of a transparent picture, a fifth of it free on each side."""
    box = pyvips.Image.black(width * 3 // 5, height * 3 // 5).new_from_image([20, 40, 60, 255]).cast("uchar")
    data: bytes = box.copy(interpretation="srgb").embed(width // 5, height // 5, width, height).pngsave_buffer()
    return data


def use(*presets: str, size: tuple[int, int], options: tuple[str, ...] = ()) -> Rendered:
    plan = plan_of(options, presets, GRAMMAR)
    transforms = [one for one in plan.ops if isinstance(one, Transform)]
    intent = intent_of(plan, Intent())
    return render(source(*size), intent=intent, transforms=transforms, config=EngineConfig(), deadline=Deadline(60))


def test_the_promised_presets_ship_and_say_what_they_are_for() -> None:
    assert sorted(GRAMMAR.presets) == [
        "bg-removed", "compress", "detail", "grid", "large", "medium", "original", "shadow", "thumbnail",
    ]  # fmt: skip
    assert all(entry.doc for entry in GRAMMAR.presets.values())


@pytest.mark.parametrize(
    ("preset", "source_size", "size"),
    [
        ("grid", (1500, 1500), (600, 400)),
        ("grid", (300, 100), (600, 400)),
        ("thumbnail", (1500, 500), (150, 150)),
        ("thumbnail", (60, 100), (150, 150)),
        ("detail", (2000, 1000), (1200, 600)),
        ("detail", (500, 100), (500, 100)),
        ("medium", (1200, 2400), (600, 1200)),
        ("large", (2400, 1200), (1200, 600)),
        ("original", (500, 100), (500, 100)),
        ("original", (5000, 500), (4096, 410)),
        ("compress", (3840, 1000), (1920, 500)),
        ("compress", (100, 50), (100, 50)),
    ],
)
def test_sizes(preset: str, source_size: tuple[int, int], size: tuple[int, int]) -> None:
    made = use(preset, size=source_size)
    assert (made.width, made.height) == size


def test_bg_removed_cuts_to_the_object_with_a_margin_and_keeps_transparency() -> None:
    made = use("bg-removed", size=(1000, 500))
    assert (made.width, made.height) == (600 + 2 * 50, 300 + 2 * 50)
    picture = pyvips.Image.new_from_buffer(made.data, "")
    assert picture(0, 0)[3] == 0
    assert picture(350, 200)[3] == 255


def test_shadow_lies_below_the_object_and_outside_of_it() -> None:
    made = use("bg-removed", "shadow", size=(1000, 500), options=("width:400",))
    assert made.width == 400
    picture = pyvips.Image.new_from_buffer(made.data, "")
    middle = [picture(200, y)[3] for y in range(made.height)]
    assert middle[made.height // 2] == 255
    bottom = max(y for y, alpha in enumerate(middle) if alpha == 255)
    assert 0 < middle[bottom + 12] < 255


def test_the_whole_pipeline_of_a_product_photo_fits_a_grid_tile_with_its_shadow() -> None:
    made = use("bg-removed", "shadow", "grid", size=(1000, 800))
    assert (made.width, made.height) == (600, 400)
    assert pyvips.Image.new_from_buffer(made.data, "").hasalpha()


def test_options_after_a_preset_win() -> None:
    made = use("grid", size=(1500, 1500), options=("width:300", "format:webp"))
    assert (made.width, made.height, made.format) == (300, 400, "webp")
