"""The floor answers with the raw loop's bytes."""

from __future__ import annotations

from pathlib import Path

import httpx
import pyvips

from bench.cases import CASES
from bench.floor import BareApp
from bench.raw import render


async def test_the_answer_is_the_raw_loops_picture(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    (pyvips.Image.black(640, 450, bands=3) + 90).cast("uchar").copy(interpretation="srgb").jpegsave(str(photo))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(BareApp(photo)), base_url="http://x") as client:
        answer = await client.get("/webp")
    assert answer.headers["content-type"] == "image/webp"
    assert answer.content == render(photo.read_bytes(), CASES[1])
