"""The reference's grammar vectors (g.3) and signatures as a client meets them: status codes and pictures."""

from __future__ import annotations

import base64

import pytest

from imgserve.plan.signing import KeyPair
from tests.web.conftest import KEY, SALT, Start
from tests.web.pictures import size_of

B64 = base64.urlsafe_b64encode(b"local:///a.jpg").rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/extend:1:sm/plain/local:///a.jpg", 400, "bad_option"),
        ("/extend:1:re/plain/local:///a.jpg", 400, "bad_option"),
        ("/gravity:re/plain/local:///a.jpg", 400, "bad_option"),
        ("/crop:100:200:re/plain/local:///a.jpg", 400, "bad_option"),
        ("/exp:1609448400/plain/local:///a.jpg", 410, "expired"),
        ("/skp:jpg:png:bad_format/plain/local:///a.jpg", 400, "bad_option"),
        ("/unknown:1/plain/local:///a.jpg", 400, "bad_option"),
        ("/pr:unknown/plain/local:///a.jpg", 400, "bad_option"),
        ("/w:10/plain/local:///a.jpg@png@webp", 400, "bad_request"),
        ("/w:10/plain/local:///a.jpg@nonsense", 400, "bad_option"),
        ("/w:10/!!!", 400, "bad_request"),
        ("/fill/10/10/plain/local:///a.jpg", 400, "bad_request"),
        ("/w:NaN/plain/local:///a.jpg", 400, "bad_option"),
        ("/dpr:inf/plain/local:///a.jpg", 400, "bad_option"),
        ("/el:yes/plain/local:///a.jpg", 400, "bad_option"),
        ("/msr:1/plain/local:///a.jpg", 403, "option_forbidden"),
        ("/f:jxl/plain/local:///a.jpg", 422, "image_refused"),
        ("/f:svg/plain/local:///a.jpg", 422, "image_refused"),
        ("/rs:force:20000:10:1/plain/local:///a.jpg", 422, "image_refused"),
    ],
)
async def test_mistakes_have_their_own_codes(start: Start, path: str, status: int, code: str) -> None:
    server = await start()
    answer = await server.get(path, {"accept": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert len(answer.json()["error"]["message"]) > 20


@pytest.mark.parametrize(
    ("path", "size"),
    [
        (f"/size:30:30/{B64}.png", (30, 20)),
        (f"/size:30:30/{B64[:5]}/{B64[5:]}.png", (30, 20)),
        ("/size:30:30/plain/local:///a.jpg@png", (30, 20)),
        ("/size:30:30/plain/local%3A%2F%2F%2Fa%2Ejpg@png", (30, 20)),
        ("/resize:fill:10:20:1/plain/local:///a.jpg@png", (10, 20)),
        ("/crop:20:10:nowe:1:1/f:png/plain/local:///a.jpg", (20, 10)),
        ("/rot:-90/f:png/plain/local:///a.jpg", (40, 60)),
        ("/pr:test1/plain/local:///a.jpg@png", (7, 7)),
        ("/rs:fit:600:0/plain/local:///a.jpg@png", (60, 40)),
    ],
)
async def test_every_spelling_gives_its_picture(start: Start, path: str, size: tuple[int, int]) -> None:
    server = await start(PRESETS="test1=rs:fill:7:7")
    answer = await server.get(path)
    assert answer.status_code == 200, answer.text
    assert size_of(answer.content) == size


async def test_every_shipped_preset_gives_a_picture(start: Start) -> None:
    server = await start()
    for name in server.services.grammar.presets:
        answer = await server.get(f"/pr:{name}/plain/local:///a.jpg")
        assert answer.status_code == 200, (name, answer.text)


async def test_only_presets_and_allowed_options(start: Start) -> None:
    only = await start(ONLY_PRESETS="1", PRESETS="test1=f:png,test2=w:8")
    assert size_of((await only.get("/test1:test2/plain/local:///a.jpg")).content) == (8, 5)
    assert (await only.get("/w:8/plain/local:///a.jpg")).status_code == 400
    narrow = await start(ALLOWED_PROCESSING_OPTIONS="w,h,pr", PRESETS="test1=blur:10")
    assert (await narrow.get("/w:10/pr:test1/plain/local:///a.jpg")).status_code == 200
    assert (await narrow.get("/w:10/blur:10/plain/local:///a.jpg")).status_code == 403


PATH = "/w:10/plain/local:///a.jpg"


async def test_a_signature_has_one_spelling(start: Start) -> None:
    server = await start()
    good = KeyPair(bytes.fromhex(KEY), bytes.fromhex(SALT)).sign(PATH.encode())
    assert (await server.client.get(f"/{good}{PATH}")).status_code == 200
    for bad in (good + "=", good[:-1], good + "....", good.swapcase(), good[:8], "!" + good, f"{good}%00"):
        assert (await server.client.get(f"/{bad}{PATH}")).status_code == 403


async def test_rotated_truncated_and_trusted_signatures(start: Start) -> None:
    rotated = await start(KEY=f"aaaa,{KEY}", SALT=f"bbbb,{SALT}")
    old = KeyPair(bytes.fromhex(KEY), bytes.fromhex(SALT)).sign(PATH.encode())
    assert (await rotated.client.get(f"/{old}{PATH}")).status_code == 200
    assert (await rotated.get(PATH)).status_code == 200
    short = await start(SIGNATURE_SIZE="8", TRUSTED_SIGNATURES="let-me-in")
    assert (await short.client.get(f"/{old}{PATH}")).status_code == 403
    assert (await short.get(PATH)).status_code == 200
    assert (await short.client.get(f"/let-me-in{PATH}")).status_code == 200


async def test_an_unsigned_server_tells_of_a_forgotten_signature(start: Start) -> None:
    server = await start(KEY="", SALT="", ALLOW_UNSIGNED="1")
    assert (await server.client.get(f"/unsafe{PATH}")).status_code == 200
    answer = await server.client.get("/w:10/h:10/plain/local:///a.jpg")
    assert answer.status_code == 403
    assert "first segment" in answer.text
