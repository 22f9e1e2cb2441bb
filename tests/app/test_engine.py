"""Settings arrive at the engine, and at the keys of results."""

from __future__ import annotations

import dataclasses

import pytest

from imgserve.app.engine import engine_config
from imgserve.engine.intent import EngineConfig
from imgserve.service.intents import fingerprint
from imgserve.settings import load
from imgserve.settings.groups import Encoding

OTHER = {
    "quality": "7",
    "format_quality": "webp=7",
    "png_quantization_colors": "16",
    "png_filter": "paeth",
    "png_compression": "1",
    "webp_effort": "5",
    "webp_preset": "icon",
    "avif_speed": "4",
    "avif_tune": "psnr",
    "jpeg_quant_table": "3",
}
FIELDS = [field.name for field in dataclasses.fields(Encoding)]


def config(**given: str) -> EngineConfig:
    variables = {f"IMGSERVE_{name.upper()}": value for name, value in given.items()}
    return engine_config(load({"IMGSERVE_ALLOW_UNSIGNED": "1", **variables}), watermark=None)


def test_the_defaults_of_settings_are_those_of_the_engine() -> None:
    assert config() == EngineConfig()


@pytest.mark.parametrize("name", FIELDS)
def test_every_encoder_setting_changes_the_keys_of_results(name: str) -> None:
    changed = config(**{name: OTHER.get(name, "true")})
    assert changed != config()
    assert fingerprint(changed) != fingerprint(config())
