"""Fast now, small later: two configurations of one server."""

from __future__ import annotations

import pytest
import pyvips

from imgserve.engine.effort import fast_config, small_config
from imgserve.engine.intent import EngineConfig
from tests.engine.pictures import digest_of, make, png


def scene(*, grain: float) -> bytes:
    light = pyvips.Image.perlin(320, 240, cell_size=48, seed=5) * 90 + 128
    noise = pyvips.Image.gaussnoise(320, 240, mean=0, sigma=grain, seed=6)
    image = (light + noise).bandjoin(light * 0.9 + 20).bandjoin(light + noise * 0.5).cast("uchar")
    return png(image.copy(interpretation="srgb"))


SCENE = scene(grain=2)
#: No noise to keep: deflate has something to look for.
SOFT = scene(grain=0)


@pytest.mark.parametrize(("name", "source"), [("jpeg", SCENE), ("webp", SCENE), ("avif", SCENE), ("png", SOFT)])
def test_the_small_file_is_smaller(name: str, source: bytes) -> None:
    fast = make(source, format=name, config=fast_config(EngineConfig()))
    small = make(source, format=name, config=small_config(EngineConfig()))
    assert len(small.data) < len(fast.data)
    assert (small.format, small.width, small.height) == (fast.format, fast.width, fast.height)


@pytest.mark.parametrize("name", ["jpeg", "png"])
def test_the_small_file_has_the_same_pixels_where_the_format_allows(name: str) -> None:
    fast, small = (make(SCENE, format=name, config=of(EngineConfig())).data for of in (fast_config, small_config))
    assert digest_of(small) == digest_of(fast)


def test_the_fast_configuration_is_the_default_one() -> None:
    assert fast_config(EngineConfig()) == EngineConfig()


def test_what_the_operator_set_further_stays() -> None:
    slow = EngineConfig(webp_effort=6, avif_speed=3, png_compression=9, png_filter="paeth")
    assert small_config(slow).avif_speed == 3
    assert small_config(slow).png_filter == "paeth"
    quick = EngineConfig(webp_effort=0, avif_speed=9, png_compression=1)
    assert fast_config(quick) == quick


def test_slow_settings_wait_for_the_small_file() -> None:
    slow = EngineConfig(webp_effort=6, avif_speed=3, png_compression=9, jpeg_trellis_quant=True, quality=70)
    fast = fast_config(slow)
    assert (fast.webp_effort, fast.avif_speed, fast.png_compression, fast.jpeg_trellis_quant) == (2, 9, 6, False)
    assert small_config(slow).jpeg_trellis_quant
    assert fast.quality == small_config(slow).quality == 70
