from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from bench.cutout import ArrayPicture
from imgserve.adapters.providers.http_background import HttpBackground
from imgserve.adapters.providers.remote import Limits
from imgserve.errors import ProviderRefused, ProviderUnavailable
from imgserve.ports.models import Mask
from tests.adapters.providers.background_server import Reply, Service, serving

Array = npt.NDArray[Any]

KEY = "s3cret-key"
PICTURE = ArrayPicture(np.full((60, 80, 3), 200, np.uint8))
#: Pauses so short that tests with retries are over at once.
QUICK = Limits(timeout_s=5, pause_s=0.01, failures=3, open_s=30)


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as running:
        yield running


def png(plane: Array) -> bytes:
    return cv2.imencode(".png", plane)[1].tobytes()


def plane(width: int = 80, height: int = 60) -> Array:
    return np.linspace(0, 255, width).astype(np.uint8)[None].repeat(height, 0)


def api4ai(data: bytes, *, code: str = "ok", message: str = "Success") -> bytes:
    entities = [{"kind": "image", "name": "foreground", "image": base64.b64encode(data).decode(), "format": "PNG"}]
    return json.dumps({"results": [{"status": {"code": code, "message": message}, "entities": entities}]}).encode()


def provider(service: Service, *, name: str = "removebg", limits: Limits = QUICK) -> HttpBackground:
    return HttpBackground(name, api_key=KEY, url=service.url + "/", limits=limits)


def ask(background: HttpBackground) -> Mask:
    try:
        return background.run(PICTURE, "", lambda share: None)
    finally:
        background.close()


def test_removebg_is_asked_for_the_mask_alone(service: Service) -> None:
    service.replies = [Reply(body=png(plane()))]
    mask = ask(provider(service))
    assert mask.pixels.data == plane().tobytes()
    (asked,) = service.asked
    assert asked.path == "/v1.0/removebg"
    assert asked.headers["x-api-key"] == KEY
    for part in (b'name="image_file"', b"image/jpeg", b'name="channels"\r\n\r\nalpha', b'name="size"\r\n\r\nfull'):
        assert part in asked.body
    assert b"\xff\xd8\xff" in asked.body


def test_api4ai_is_asked_for_the_mask_alone(service: Service) -> None:
    service.replies = [Reply(body=api4ai(png(plane())))]
    mask = ask(provider(service, name="api4ai"))
    assert mask.pixels.data == plane().tobytes()
    (asked,) = service.asked
    assert asked.path == "/v1/results?mode=fg-mask"
    assert asked.headers["x-api-key"] == KEY
    assert b'name="image"' in asked.body


@pytest.mark.parametrize("bands", ["with alpha", "three bands", "16 bits"])
def test_masks_of_other_kinds_are_read(service: Service, bands: str) -> None:
    kinds = {
        "with alpha": np.dstack([np.full((60, 80, 3), 90, np.uint8), plane()]),
        "three bands": np.dstack([plane()] * 3),
        "16 bits": plane().astype(np.uint16) * 257,
    }
    service.replies = [Reply(body=png(kinds[bands]))]
    assert ask(provider(service)).pixels.data == plane().tobytes()


def test_a_smaller_mask_of_the_same_shape_is_taken(service: Service) -> None:
    service.replies = [Reply(body=png(plane(40, 30)))]
    assert ask(provider(service)).pixels.width == 40


def test_an_error_of_the_server_is_tried_again(service: Service) -> None:
    service.replies = [Reply(status=500), Reply(status=502), Reply(body=png(plane()))]
    assert ask(provider(service)).pixels.width == 80
    assert len(service.asked) == 3


def test_errors_without_end_are_three_tries(service: Service) -> None:
    service.replies = [Reply(status=503)]
    with pytest.raises(ProviderUnavailable, match=r"remove\.bg answered 503") as caught:
        ask(provider(service))
    assert len(service.asked) == 3
    assert caught.value.retry_after_s


def test_retry_after_is_kept_to_where_there_is_time(service: Service) -> None:
    service.replies = [Reply(status=429, headers={"retry-after": "0"}), Reply(body=png(plane()))]
    assert ask(provider(service)).pixels.width == 80


def test_a_long_retry_after_is_passed_on_at_once(service: Service) -> None:
    service.replies = [Reply(status=429, headers={"retry-after": "77"})]
    with pytest.raises(ProviderUnavailable, match="asked too often") as caught:
        ask(provider(service))
    assert caught.value.retry_after_s == 77
    assert len(service.asked) == 1


@pytest.mark.parametrize(("status", "says"), [(402, "no credits"), (403, "API key"), (401, "API key"), (301, "301")])
def test_what_only_the_operator_can_mend_is_told_once(service: Service, status: int, says: str) -> None:
    service.replies = [Reply(status=status)]
    with pytest.raises(ProviderUnavailable, match=says):
        ask(provider(service))
    assert len(service.asked) == 1


def test_a_picture_that_is_refused_says_why(service: Service) -> None:
    errors = {"errors": [{"title": "Could not identify foreground in image.", "code": "unknown_foreground"}]}
    service.replies = [Reply(status=400, body=json.dumps(errors).encode())]
    with pytest.raises(ProviderRefused, match=r"refuses this picture: Could not identify foreground in image\.$"):
        ask(provider(service))


def test_a_failure_inside_a_good_answer_is_a_refusal(service: Service) -> None:
    service.replies = [Reply(body=api4ai(b"", code="failure", message="Can not load image."))]
    with pytest.raises(ProviderRefused, match="Can not load image"):
        ask(provider(service, name="api4ai"))


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("removebg", b"<html>", "not a PNG"),
        ("removebg", b"", "not a PNG"),
        ("removebg", png(plane())[:60], "cannot be read"),
        ("removebg", png(plane(60, 80)), "mask of 60x80 for a picture of 80x60"),
        ("removebg", png(plane())[:16] + b"\x00\x01\x00\x00" * 2 + png(plane())[24:], "65536x65536"),
        ("api4ai", b"[" * 100_000, "without an image"),
        ("api4ai", b'{"results": [{"entities": 7}]}', "without an image"),
        ("api4ai", b'{"results": [{"entities": [{"kind": "image", "image": "\xc3\xa4"}]}]}', "not base64"),
        ("api4ai", api4ai(b"GIF89a"), "not a PNG"),
    ],
)
def test_garbage_is_a_sentence(service: Service, name: str, body: bytes, says: str) -> None:
    service.replies = [Reply(body=body)]
    with pytest.raises(ProviderUnavailable, match=says):
        ask(provider(service, name=name))


def test_an_answer_that_breaks_off_is_asked_for_again(service: Service) -> None:
    whole = png(plane())
    broken = Reply(body=whole[:50], declared=len(whole), headers={"connection": "close"})
    service.replies = [broken, Reply(body=whole)]
    assert ask(provider(service)).pixels.width == 80


def test_a_huge_answer_is_not_read_to_its_end(service: Service) -> None:
    service.replies = [Reply(body=bytes(3_000_000))]
    with pytest.raises(ProviderUnavailable, match="more than 1000000 bytes"):
        ask(provider(service, limits=Limits(timeout_s=5, max_bytes=1_000_000)))


def test_a_slow_service_is_left_at_the_time_limit(service: Service) -> None:
    hold = threading.Event()
    service.replies = [Reply(body=png(plane()), hold=hold)]
    try:
        with pytest.raises(ProviderUnavailable, match=r"did not answer within 0\.2 seconds"):
            ask(provider(service, limits=Limits(timeout_s=0.2)))
    finally:
        hold.set()


def test_a_service_that_is_not_there_is_told(service: Service) -> None:
    background = HttpBackground("removebg", api_key=KEY, url="http://127.0.0.1:9", limits=QUICK)
    with pytest.raises(ProviderUnavailable, match="cannot be reached"):
        ask(background)


def test_a_service_that_keeps_failing_is_left_alone(service: Service) -> None:
    service.replies = [Reply(status=402)]
    background = provider(service)
    for _ in range(QUICK.failures):
        with pytest.raises(ProviderUnavailable, match="no credits"):
            ask(background)
    with pytest.raises(ProviderUnavailable, match="failed 3 times in a row") as caught:
        ask(background)
    assert caught.value.retry_after_s == pytest.approx(30, abs=2)
    assert len(service.asked) == QUICK.failures


def test_refused_pictures_are_no_failures_of_the_service(service: Service) -> None:
    service.replies = [Reply(status=400)]
    background = provider(service)
    for _ in range(QUICK.failures + 2):
        with pytest.raises(ProviderRefused):
            ask(background)


def test_no_key_reaches_a_log_or_a_sentence(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    service.replies = [Reply(status=403, body=KEY.encode())]
    with pytest.raises(ProviderUnavailable) as caught:
        ask(provider(service))
    assert caplog.records
    logged = "".join(record.getMessage() for record in caplog.records)
    assert KEY not in logged + str(caught.value)
    assert KEY not in repr(provider(service).capability)


def test_what_is_missing_is_told_before_anything_is_sent() -> None:
    assert "IMGSERVE_BACKGROUND_API_KEY" in str(HttpBackground("removebg", api_key="").trouble())
    assert "IMGSERVE_BACKGROUND_URL" in str(HttpBackground("removebg", api_key="k", url="ftp://x").trouble())
    bare = HttpBackground("api4ai", api_key="k", installed=lambda library: False)
    assert "pip install 'imgserve[ai]'" in str(bare.trouble())
    assert HttpBackground("api4ai", api_key="k").trouble() is None


def test_the_host_that_pictures_are_sent_to_is_told() -> None:
    assert HttpBackground("removebg", api_key="k").capability.remote == "api.remove.bg"
    assert HttpBackground("api4ai", api_key="k", url="https://my.host/x").capability.remote == "my.host"
