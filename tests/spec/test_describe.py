from __future__ import annotations

import pytest

from imgserve.ops.catalog import CATALOG
from imgserve.spec.describe import (
    option_schema,
    options_markdown,
    options_schema,
    presets_schema,
    setting_text,
    settings_markdown,
)
from imgserve.spec.kinds import Choice, Integer
from imgserve.spec.op import Catalog, Op, Pages, Stage, op
from imgserve.spec.params import Param, choice, integer, number
from imgserve.spec.shapes import Pairs


@op("tint", "ti", stage=Stage.FILTER, example="tint:0.5:red", pages=Pages.SKIP, own=True)
class Tint(Op):
    """Colour the picture; a tint of 0 leaves
    it alone.

    A second paragraph | with a bar.
    """

    amount: float = number(min=0, max=1, doc="how much")
    shade: str = choice("red", "blue", default="red", doc="which")
    size: int | None = integer(default=None, doc="how large")


@op("cap", stage=Stage.LIMITS, example="cap:3", guarded=True)
class Cap(Op):
    """Bound it."""

    pixels: int = integer(doc="how many")


SMALL = Catalog([(Tint, Cap)])


def test_an_option_is_described_with_names_arguments_and_defaults() -> None:
    page = options_markdown(SMALL)
    own = page[page.index("## Options of our own") :]
    assert "### tint" in own
    assert "Colour the picture; a tint of 0 leaves it alone.\n\nA second paragraph | with a bar." in own
    assert "Example: `tint:0.5:red`. Also called `ti`." in own
    assert "In an animation it is left out." in own
    assert "| `amount` | how much | a number from 0 to 1 | must be given |" in own
    assert "| `shade` | which | one of red, blue | `red` |" in own
    assert "| `size` | how large | an integer | keeps what was set before |" in own


def test_options_that_change_limits_stand_apart() -> None:
    page = options_markdown(SMALL)
    assert page.index("## Options that change limits") < page.index("### cap") < page.index("## Options of our own")
    assert "## Options of imgproxy" not in page


def test_the_index_links_every_option() -> None:
    assert "| [`tint`](#tint) | `ti` | `tint:0.5:red` | Colour the picture |" in options_markdown(SMALL)


def test_settings_are_grouped_and_print_defaults_as_the_environment_has_them() -> None:
    pairs = Pairs(Choice({"webp": "webp", "avif": "avif"}), Integer(0, 100))
    rows = [
        ("One", "IMGSERVE_A", Param(Integer(0, 9), 3, "a")),
        ("One", "IMGSERVE_B", Param(pairs, (("webp", 79), ("avif", 63)), "b")),
        ("Two", "IMGSERVE_C", Param(Integer(), 0, "c")),
    ]
    page = settings_markdown(rows)
    assert "## One\n\n| variable |" in page
    assert "| `IMGSERVE_A` | a | an integer from 0 to 9 | `3` |" in page
    assert setting_text(rows[1][2]) == "avif=63,webp=79"
    assert page.index("IMGSERVE_B") < page.index("## Two") < page.index("IMGSERVE_C")


def test_the_schema_of_an_option_has_bounds_and_what_is_required() -> None:
    schema = option_schema(Tint)
    assert schema["required"] == ["amount"]
    assert schema["properties"]["amount"] == {"type": "number", "minimum": 0, "maximum": 1, "description": "how much"}
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("cls", CATALOG.ops, ids=lambda cls: cls.spec.name)
def test_the_schema_knows_every_option_under_all_its_names(cls: type[Op]) -> None:
    properties = presets_schema(CATALOG)["properties"]
    for name in cls.spec.names:
        assert properties[name]["anyOf"][0] == option_schema(cls)


def test_the_first_value_alone_is_enough_only_where_nothing_else_is_required() -> None:
    properties = presets_schema(SMALL)["properties"]
    assert [form["type"] for form in properties["tint"]["anyOf"]] == ["object", "number"]
    assert [form["type"] for form in properties["cap"]["anyOf"]] == ["object", "integer"]


def test_the_schema_of_options_says_how_arguments_become_pieces() -> None:
    known = options_schema(SMALL)["properties"]["tint"]
    table, short = known["anyOf"]
    assert short == {"type": "number", "minimum": 0, "maximum": 1}
    assert (known["x-aliases"], known["x-stage"], known["x-own"], known["x-guarded"]) == (["ti"], "filter", True, False)
    fields = {name: field["x-argument"] for name, field in table["properties"].items()}
    assert fields == {
        "amount": {"kind": "number", "span": 1},
        "shade": {"kind": "choice", "span": 1, "default": ["red"], "spellings": {}},
        "size": {"kind": "integer", "span": 1},
    }


def test_the_schema_of_options_lists_them_in_the_order_in_which_urls_are_written() -> None:
    assert list(options_schema(CATALOG)["properties"]) == [cls.spec.name for cls in CATALOG.ops]
