"""Options that act on what models found: the cut, the blur that hides, the frames that show."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import pyvips

from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import EngineConfig, Intent, Limits
from imgserve.engine.pipeline import Rendered, render
from imgserve.engine.sharing import Variant
from imgserve.engine.variants import render_variants
from imgserve.errors import ImageRefused, ImgserveError
from imgserve.ops.behaviour import Transform
from imgserve.ops.detections import BlurDetections, CropObjects, DrawDetections
from imgserve.ops.effects import Round
from imgserve.ops.filters import Blur
from imgserve.ops.geometry import Crop, GravityOption
from imgserve.ports.models import Ask, Detection, Reading, Task
from imgserve.spec.values import Gravity, GravityType
from tests.engine.pictures import FILL, animated, decoded, digest, digest_of, jpeg, make, photo, pixel, plain, png

WIDTH, HEIGHT = 300, 200
OBJECTS = Gravity(GravityType.OBJECTS)
FACES = Gravity(GravityType.OBJECTS, classes=(("face", 1.0),))
#: Left, top, width, height.
FACE = (200, 40, 40, 50)
DOG = (20, 120, 60, 40)


def detection(label: str, box: tuple[int, int, int, int], confidence: float = 0.9) -> Detection:
    left, top, width, height = box
    return Detection(
        label=label,
        confidence=confidence,
        left=left / WIDTH,
        top=top / HEIGHT,
        width=width / WIDTH,
        height=height / HEIGHT,
    )


READINGS = {
    Task.FACES: Reading(detections=(detection("face", FACE),)),
    Task.OBJECTS: Reading(detections=(detection("Dog", DOG),)),
}


def checks(width: int, height: int, side: int) -> pyvips.Image:
    """Black and white squares: what must not be told apart after a blur."""
    at = pyvips.Image.xyz(width, height) // side
    one = ((at[0] + at[1]) % 2 * 255).cast("uchar")
    return one.bandjoin(one).bandjoin(one).copy(interpretation="srgb")


def steepest(image: pyvips.Image, left: int) -> float:
    """How much the greatest edge changes, right of that column."""
    edges = image.crop(left, 0, image.width - left, image.height).sobel()
    return float(edges.stats().getpoint(1, 0)[0])


def seen(source: bytes, *ops: Transform, readings: dict[Task, Reading] | None = None, **wanted: Any) -> Rendered:
    intent = Intent(**{"format": "png", **wanted})
    for one in ops:
        intent = one.configure(intent)
    return render(
        source,
        intent=intent,
        transforms=ops,
        config=EngineConfig(),
        deadline=Deadline(30),
        readings=READINGS if readings is None else readings,
    )


PHOTO = photo(WIDTH, HEIGHT)


def test_the_cut_is_around_the_things() -> None:
    got = seen(png(PHOTO), CropObjects(scale=1, classes=("face",)))
    assert digest_of(got.data) == digest(PHOTO.crop(*FACE))
    both = seen(png(PHOTO), CropObjects(scale=1))
    assert digest_of(both.data) == digest(PHOTO.crop(20, 40, 220, 120))


def test_the_cut_grows_around_its_middle_inside_the_picture() -> None:
    got = seen(png(PHOTO), CropObjects(scale=2, classes=("face",)))
    assert digest_of(got.data) == digest(PHOTO.crop(180, 15, 80, 100))
    most = seen(png(PHOTO), CropObjects(scale=100, classes=("face",)))
    assert digest_of(most.data) == digest(PHOTO)


def test_the_cut_has_the_shape_of_the_result_as_far_as_the_picture_reaches() -> None:
    got = seen(png(PHOTO), CropObjects(scale=1, classes=("face",)), width=100, height=50, resizing_type=FILL)
    assert digest_of(got.data) == digest(PHOTO.crop(170, 40, 100, 50))
    edge = seen(png(PHOTO), CropObjects(scale=1, classes=("dog",)), width=40, height=160, resizing_type=FILL)
    # 60x40 grows to 60x200, and the rest of the shape is cut as always.
    assert (edge.width, edge.height) == (40, 160)


def test_the_cut_wins_over_crop_where_something_is_found() -> None:
    source = png(PHOTO)
    wanted: dict[str, Any] = {"crop_width": 10.0, "crop_height": 10.0}
    assert digest_of(seen(source, CropObjects(scale=1, classes=("dog",)), **wanted).data) == digest(PHOTO.crop(*DOG))
    nothing = seen(source, CropObjects(scale=1, classes=("cat",)), **wanted)
    assert (nothing.width, nothing.height) == (10, 10)


def test_large_sources_are_still_shrunk_by_their_decoder() -> None:
    source = jpeg(PHOTO.resize(8), Q=95)
    small = decoded(seen(source, CropObjects(scale=1, classes=("face",)), width=40).data)
    difference = (small[:3] - PHOTO.crop(*FACE)).abs()
    assert difference[:2].avg() < 3


def test_gravity_by_objects_keeps_them() -> None:
    wanted: dict[str, Any] = {"width": 100, "height": 200, "resizing_type": FILL}
    source = png(PHOTO)
    assert digest_of(seen(source, gravity=FACES, **wanted).data) == digest(PHOTO.crop(170, 0, 100, 200))
    dog = Gravity(GravityType.WEIGHTED_OBJECTS, classes=(("all", 1.0), ("dog", 9.0)))
    assert digest_of(seen(source, gravity=dog, **wanted).data) == digest(PHOTO.crop(0, 0, 100, 200))
    cropped = seen(source, crop_width=80.0, crop_height=70.0, crop_gravity=FACES)
    assert digest_of(cropped.data) == digest(PHOTO.crop(180, 30, 80, 70))


def test_gravity_by_objects_is_smart_where_nothing_is_found() -> None:
    wanted: dict[str, Any] = {"width": 100, "height": 200, "resizing_type": FILL, "format": "png"}
    smart = make(png(PHOTO), gravity=Gravity(GravityType.SMART), **wanted)
    assert seen(png(PHOTO), gravity=OBJECTS, readings={}, **wanted) == smart


def test_options_ask_for_what_they_look_for() -> None:
    face = (Ask(Task.FACES),)
    both = (Ask(Task.OBJECTS, optional=True), Ask(Task.FACES, optional=True))
    assert GravityOption(gravity=FACES).asks() == Crop(crop_width=1, crop_gravity=FACES).asks() == face
    assert GravityOption(gravity=OBJECTS).asks() == both
    assert (GravityOption(gravity=Gravity()).asks(), Crop(crop_width=1).asks()) == ((), ())
    assert CropObjects(scale=1, classes=("face",)).asks() == face
    assert BlurDetections(sigma=1, classes=("face",)).asks() == (Ask(Task.FACES, vital=True),)
    assert DrawDetections(draw=True).asks() == both
    assert (BlurDetections(sigma=0).asks(), DrawDetections(draw=False).asks()) == ((), ())


@pytest.mark.parametrize("sigma", [0.5, 40])
@pytest.mark.parametrize("alpha", [False, True])
def test_nothing_of_what_is_hidden_can_be_told_however_weak_the_blur(sigma: float, *, alpha: bool) -> None:
    squares = checks(FACE[2], FACE[3], 5)
    picture = plain(WIDTH, HEIGHT, [128, 128, 128]).insert(squares, FACE[0], FACE[1])
    got = decoded(seen(png(picture.addalpha() if alpha else picture), BlurDetections(sigma=sigma)).data)
    hidden = got.crop(*FACE)[:3]
    assert squares.deviate() > 120
    assert hidden.deviate() < 2


def test_the_rest_of_the_picture_is_left_alone() -> None:
    got = decoded(seen(png(PHOTO), BlurDetections(sigma=5, classes=("face",))).data)
    assert digest(got.crop(0, 0, 180, HEIGHT)) == digest(PHOTO.crop(0, 0, 180, HEIGHT))
    # Some more than the box is hidden, on every side.
    changed = ((got[:3] - PHOTO).abs() > 1).bandor()
    left, top, width, height = changed.find_trim(threshold=10, background=[0])
    assert left < FACE[0] - 4
    assert top < FACE[1] - 4
    assert left + width > FACE[0] + FACE[2] + 4
    assert top + height > FACE[1] + FACE[3] + 4


def test_what_is_hidden_is_hidden_after_all_that_moves_the_picture() -> None:
    squares = checks(FACE[2], FACE[3], 5)
    picture = plain(WIDTH, HEIGHT, [128, 128, 128]).insert(squares, FACE[0], FACE[1])
    moves: list[dict[str, Any]] = [
        {"rotate": 90, "flip_horizontal": True, "width": 120},
        {"width": 100, "height": 200, "resizing_type": FILL, "gravity": FACES},
        {"crop_width": 60.0, "crop_height": 60.0, "crop_gravity": FACES, "width": 240, "enlarge": True},
        {"dpr": 2.0, "width": 150, "padding_left": 20, "format": "jpeg", "quality": 100},
    ]
    for one in moves:
        plainly = decoded(seen(png(picture), **one).data)[0]
        hidden = decoded(seen(png(picture), BlurDetections(sigma=1, classes=("face",)), **one).data)[0]
        # Where the padding ends is an edge, too.
        left = 41 if "padding_left" in one else 0
        assert steepest(plainly, left) > 200, one
        assert steepest(hidden, left) < 40, one


def test_an_animation_cannot_be_hidden_in_and_is_drawn_on_nowhere() -> None:
    frames = [photo(60, 40), photo(60, 40).invert()]
    source = bytes(animated(frames, delays=[40, 40]).gifsave_buffer())
    wanted: dict[str, Any] = {"format": "webp", "limits": Limits(max_animation_frames=10)}
    with pytest.raises(ImageRefused, match="still picture"):
        seen(source, BlurDetections(sigma=3), **wanted)
    # Its first frame alone can.
    assert seen(source, BlurDetections(sigma=3), format="png").width == 60
    assert seen(source, DrawDetections(draw=True), **wanted) == make(source, **wanted)


def test_a_source_that_is_served_as_it_is_is_refused() -> None:
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
    with pytest.raises(ImageRefused, match="as it is"):
        seen(drawing, BlurDetections(sigma=3), format=None)
    with pytest.raises(ImageRefused, match="as it is"):
        seen(jpeg(PHOTO), BlurDetections(sigma=3), format=None, skip_processing=("jpeg",))
    assert seen(drawing, BlurDetections(sigma=3), format="png").format == "png"


def test_metadata_goes_with_what_is_hidden() -> None:
    picture = PHOTO.copy()
    picture.set_type(pyvips.GValue.gstr_type, "exif-ifd0-ImageDescription", "who it is")
    kept = pyvips.Image.new_from_buffer(make(jpeg(picture), strip_metadata=False).data, "")
    assert kept.get_typeof("exif-ifd0-ImageDescription")
    got = seen(jpeg(picture), BlurDetections(sigma=3), format="jpeg", strip_metadata=False)
    assert not pyvips.Image.new_from_buffer(got.data, "").get_typeof("exif-data")


def test_frames_and_labels_are_drawn_over_what_was_found() -> None:
    grey = plain(WIDTH, HEIGHT, [90, 90, 90])
    got = decoded(seen(png(grey), DrawDetections(draw=True)).data)
    ink = ((got[:3] - 90).abs() > 20).bandor()
    for left, top, width, height in (FACE, DOG):
        corners = [(left, top), (left + width - 1, top), (left, top + height - 1), (left + width - 1, top + height - 1)]
        assert [ink.getpoint(*corner) for corner in corners] == [[255.0]] * 4
        assert ink.crop(left + 3, top + 3, width - 6, height - 6).max() == 0
        # The label above: its ground, and text on it.
        label = got.crop(left, top - 12, 30, 10)[:3]
        assert label.deviate() > 40
    assert pixel(got, FACE[0], FACE[1])[:3] != pixel(got, DOG[0], DOG[1])[:3]
    assert seen(png(grey), DrawDetections(draw=False)) == seen(png(grey))


def test_labels_stay_inside_of_the_picture() -> None:
    reading = {Task.OBJECTS: Reading(detections=(detection("a very long name of a thing", (280, 0, 20, 20)),))}
    got = decoded(seen(png(plain(WIDTH, HEIGHT, [90] * 3)), DrawDetections(draw=True), readings=reading).data)
    label = got.crop(60, 0, 240, 16)[:3]
    assert label.deviate() > 40


def test_drawing_goes_with_filters_that_need_alpha_premultiplied() -> None:
    clear = plain(WIDTH, HEIGHT, [90, 90, 90, 128])
    got = decoded(seen(png(clear), Blur(sigma=2), DrawDetections(draw=True), Round(radius=4)).data)
    assert pixel(got, FACE[0], FACE[1])[3] == 255
    # Premultiplying costs a step.
    assert pixel(got, 150, 100) in ([90, 90, 90, 128], [89, 89, 89, 128])
    assert pixel(got, 0, 0)[3] == 0


def test_variants_of_one_source_have_their_own_readings() -> None:
    source = png(PHOTO)
    op = BlurDetections(sigma=4)
    intent = dataclasses.replace(op.configure(Intent()), format="png")
    variants = [Variant(intent=intent, transforms=[op], readings=one) for one in (READINGS, {}, READINGS)]
    got = dict(render_variants(source, variants, config=EngineConfig(), deadline=Deadline(30)))
    assert not any(isinstance(one, ImgserveError) for one in got.values())
    assert got[0] == got[2] == seen(source, op)
    assert got[1] == seen(source, op, readings={})
    assert got[0] != got[1]
