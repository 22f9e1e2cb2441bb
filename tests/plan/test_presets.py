"""Presets: TOML files and imgproxy's strings, all mistakes named before the server starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgserve.errors import ConfigError
from imgserve.ops.catalog import CATALOG
from imgserve.ops.geometry import GravityOption, Resize
from imgserve.plan.presets import Preset, check_names, load_toml, op_from_value, parse_strings
from imgserve.plan.url import Grammar, parse_options
from imgserve.spec.kinds import BadArgument
from imgserve.spec.values import Gravity, GravityType


def write(folder: Path, name: str, text: str) -> Path:
    (folder / f"{name}.toml").write_text(text)
    return folder


def test_a_toml_preset(tmp_path: Path) -> None:
    text = 'doc = "tiles"\ngravity = "fp:0.5:0.25"\n[resize]\ntype = "fill"\nwidth = 600\n'
    entry = load_toml(write(tmp_path, "grid", text), CATALOG)["grid"]
    assert entry.doc == "tiles"
    assert entry.ops == (
        GravityOption(gravity=Gravity(GravityType.FOCUS_POINT, 0.5, 0.25)),
        Resize(type="fill", width=600),
    )


def test_every_mistake_of_every_file_is_named(tmp_path: Path) -> None:
    write(tmp_path, "a", 'doc = "x"\nwidth = -1\nnope = 2\n[crop]\nangle = 3\n')
    write(tmp_path, "b", "width = 1\n")
    write(tmp_path, "c", "= broken")
    write(tmp_path, "d", 'doc = "nothing"\n')
    write(tmp_path, "e", 'doc = "x"\n[crop]\ncrop_height = 3\n')
    with pytest.raises(ConfigError) as wrong:
        load_toml(tmp_path, CATALOG)
    text = "\n".join(wrong.value.problems)
    for part in (
        "a.toml: width.width: expected an integer of 0 or more, got '-1'",
        "a.toml: nope: expected the name of an option",
        "a.toml: crop: expected one of the fields crop_width",
        "b.toml: a line doc",
        "c.toml",
        "d.toml: it has no options",
        "e.toml: crop.crop_width: expected a number of 0 or more, it is missing",
    ):
        assert part in text


def test_preset_strings() -> None:
    grammar = Grammar(catalog=CATALOG)
    lines = ["", "# comment", " small = w:100/h:100 ", "both=preset:small/q:50"]
    presets = parse_strings(lines, lambda segments: parse_options(segments, grammar))
    assert [one.text() for one in presets["small"].ops] == ["width:100", "height:100"]
    assert presets["both"].ops[0] == Preset(names=("small",))


@pytest.mark.parametrize("line", ["nothing", "=w:1", "a=", "a=w:1=2", "a=w:x", "a=nope:1", "a=w:1/plain", "a=msr:5"])
def test_a_wrong_preset_string_stops_the_start(line: str) -> None:
    grammar = Grammar(catalog=CATALOG)
    with pytest.raises(ConfigError):
        parse_strings([line], lambda segments: parse_options(segments, grammar))


def test_presets_of_presets_must_exist() -> None:
    grammar = Grammar(catalog=CATALOG)
    presets = parse_strings(["a=pr:b:c", "b=w:1"], lambda segments: parse_options(segments, grammar))
    with pytest.raises(ConfigError, match="preset a uses the preset c"):
        check_names(presets)


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("gravity", "sm", "gravity:sm"),
        ("gravity", {"type": "no", "x": 5}, "gravity:no:5:0"),
        ("gravity", {"gravity": {"type": "no", "x": 5}}, "gravity:no:5:0"),
        ("format_quality", {"webp": 70, "avif": 50}, "format_quality:avif:50:webp:70"),
        ("format_quality", {"format_quality": {"webp": 70}}, "format_quality:webp:70"),
    ],
)
def test_an_option_takes_the_value_of_its_first_argument_or_a_table(option: str, value: object, text: str) -> None:
    assert op_from_value(option, value, CATALOG).text() == text


def test_a_table_that_is_neither_says_what_is_expected() -> None:
    with pytest.raises(BadArgument, match="a gravity"):
        op_from_value("gravity", {"typ": "no"}, CATALOG)
    with pytest.raises(BadArgument, match="one of the fields"):
        op_from_value("resize", {"wide": 5}, CATALOG)
