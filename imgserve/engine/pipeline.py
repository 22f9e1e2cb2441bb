"""Source bytes in, result bytes out: the order of all stages, as data."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import Final

import pyvips

from imgserve import metrics
from imgserve.engine import animation, colour, geometry, metadata, output, svg, tags
from imgserve.engine import load as loading
from imgserve.engine.deadline import Deadline, decoding
from imgserve.engine.encode import encode
from imgserve.engine.filtering import run_filters
from imgserve.engine.formats import FORMATS
from imgserve.engine.frame import Frame, Transform
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.layout import solve
from imgserve.engine.placement import Placement
from imgserve.ports.models import Reading, Task
from imgserve.spec.op import Pages, Stage

Step = Callable[[Frame], Frame]
#: Seconds by name of the stage.
Spent = dict[str, float]

_LOAD: Final = "load"

#: Nothing was asked of any model.
NO_READINGS: Final[Mapping[Task, Reading]] = MappingProxyType({})

#: What happens in which order, and why there. Options of a stage act after its built-in step, in catalog order.
PIPELINE: Final[tuple[tuple[Stage, Step | None, str], ...]] = (
    (Stage.MODEL, None, "an AI result replaces the source, so it comes before all that measures it"),
    (Stage.TRIM, None, "what is trimmed decides all sizes; the layout is solved again after it"),
    (Stage.SHRINK, geometry.shrink_on_load, "decoders shrink for nothing, before a pixel is touched"),
    (Stage.WORKING_SPACE, colour.to_working_space, "every later step sees sRGB or grey"),
    (Stage.CROP, geometry.crop, "in source pixels, so that the resize has less to do"),
    (Stage.SCALE, geometry.scale, "the one resize; all later steps work on few pixels"),
    (Stage.ORIENT, geometry.orient, "turning needs the picture in memory, so it is turned when small"),
    (Stage.FIT, geometry.fit, "cuts what a fill leaves over, in the result's orientation"),
    (Stage.ADJUST, None, "colour adjustments see the final pixels of the picture and nothing that is added to it"),
    (Stage.FILTER, None, "area filters: sizes in result pixels, edges of the picture and not of its canvas"),
    (Stage.MASK, None, "shapes cut the picture, not the canvas around it"),
    (Stage.EXTEND, geometry.extend, "canvas up to the wanted size"),
    (Stage.SHADOW, None, "a shadow falls from the shape, into the margins"),
    (Stage.PAD, geometry.pad, "padding is outside everything that belongs to the picture"),
    (Stage.LIMIT, geometry.limit, "formats have bounds on what they hold, padding included"),
    (Stage.FLATTEN, colour.flatten, "the background lies under all of it"),
    (Stage.OVERLAY, None, "a watermark lies over all of it"),
    (Stage.OUTPUT_SPACE, colour.to_output_space, "profiles are expensive and exact, so they come once, at the end"),
    (Stage.STRIP, metadata.strip, "after the last step that could need a tag"),
    (Stage.ENCODE, None, "the bytes come last, when nothing changes the picture any more"),
)

#: Frames of an animation go one by one up to here; from here on all of them are one tall picture.
_JOINED_FROM: Final = [stage for stage, _, _ in PIPELINE].index(Stage.OVERLAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A finished result; sizes are those of one page, upright."""

    data: bytes
    format: str
    mime: str
    width: int
    height: int
    source_width: int
    source_height: int
    #: The bytes are the source's own (or those of its sanitised SVG).
    passthrough: bool = False


def render(
    source: bytes,
    *,
    intent: Intent,
    transforms: Sequence[Transform] = (),
    config: EngineConfig,
    deadline: Deadline,
    readings: Mapping[Task, Reading] = NO_READINGS,
) -> Rendered:
    """Make the picture that `intent` and `transforms` describe of encoded bytes; blocks, for a worker thread.

    `readings` are what models saw in the upright source, for options that act on it.

    Raises UnsupportedImage (415), ImageRefused (422) and RenderTimeout (504), and nothing else for any bytes.
    """
    spent: Spent = {}
    try:
        with decoding(deadline):
            return _render(
                source, spent, intent=intent, transforms=transforms, config=config, deadline=deadline, readings=readings
            )
    finally:
        metrics.rendered(spent)


def _render(
    source: bytes,
    spent: Spent,
    *,
    intent: Intent,
    transforms: Sequence[Transform],
    config: EngineConfig,
    deadline: Deadline,
    readings: Mapping[Task, Reading],
) -> Rendered:
    deadline.check()
    began = time.perf_counter()
    opened = loading.open_source(source, intent=intent, config=config, deadline=deadline)
    if output.passes_through(opened.format, intent=intent, config=config):
        return _pass_through(source, opened, intent=intent, config=config)
    frame, size = first_frame(source, opened, intent=intent, config=config, deadline=deadline, readings=readings)
    spent[_LOAD] = time.perf_counter() - began
    if frame.pages > 1:
        transforms = [one for one in transforms if one.spec.pages is not Pages.SKIP]
        frame = animation.each_page(frame, lambda page: run_stages(page, transforms, spent, until=_JOINED_FROM))
    else:
        frame = run_stages(frame, transforms, spent, until=_JOINED_FROM)
    frame = run_stages(frame, transforms, spent, start=_JOINED_FROM)
    return finish(frame, size, spent)


def finish(frame: Frame, source_size: tuple[int, int], spent: Spent) -> Rendered:
    """Encode the frame; `source_size` is that of the source, upright."""
    began = time.perf_counter()
    data, frame = encode(frame)
    spent[Stage.ENCODE.value] = time.perf_counter() - began
    metrics.encoded(frame.format, spent[Stage.ENCODE.value])
    width, height = loading.upright_size(frame.image, page_height=frame.image.height // frame.pages)
    return Rendered(
        data=data,
        format=frame.format,
        mime=FORMATS[frame.format].mime,
        width=width,
        height=height,
        source_width=source_size[0],
        source_height=source_size[1],
    )


def _pass_through(source: bytes, opened: loading.Opened, *, intent: Intent, config: EngineConfig) -> Rendered:
    kind = FORMATS[opened.format]
    width, height = loading.upright_size(opened.image, page_height=opened.image.height)
    if not kind.vector:
        loading.check_size(width, height, pages=1, limits=intent.limits)
    return Rendered(
        data=svg.sanitise(source) if opened.format == "svg" and config.sanitize_svg else source,
        format=kind.name,
        mime=kind.mime,
        width=width,
        height=height,
        source_width=width,
        source_height=height,
        passthrough=True,
    )


def first_frame(
    source: bytes,
    opened: loading.Opened,
    *,
    intent: Intent,
    config: EngineConfig,
    deadline: Deadline,
    readings: Mapping[Task, Reading] = NO_READINGS,
) -> tuple[Frame, tuple[int, int]]:
    """Check the source's size and solve the layout; also give the source's size."""
    image = opened.image
    name, pages = _format_and_pages(opened, intent=intent, config=config)
    size = loading.upright_size(image, page_height=image.height)
    vector = FORMATS[opened.format].vector
    if not vector:
        loading.check_size(*size, pages=pages, limits=intent.limits)
    vector_shrink = 1.0
    if pages > 1:
        image = loading.reload_animated(opened, source, intent=intent, config=config, deadline=deadline)
        pages = image.height // image.get_page_height()
    elif not opened.thumbnail:
        image = animation.single(image)
        if vector:
            image, vector_shrink = _guarded_vector(source, image, intent=intent, config=config, deadline=deadline)
    height = image.height // pages
    turn = tags.orientation(image)
    layout = solve(intent, width=image.width, height=height, orientation=turn, vector=vector, pages=pages)
    frame = Frame(
        image=image,
        intent=intent,
        layout=layout,
        config=config,
        deadline=deadline,
        source_format=opened.format,
        format=name,
        source=source if pages == 1 else None,
        pages=pages,
        vector_shrink=vector_shrink,
        readings=readings,
        placement=Placement.stored(image.width, height, orientation=turn),
    )
    return frame, size


def _format_and_pages(opened: loading.Opened, *, intent: Intent, config: EngineConfig) -> tuple[str, int]:
    """Name the format of the result, and tell how many pages of the source it will have at most."""
    most = intent.limits.max_animation_frames
    animated = most > 1 and opened.animated
    name = _result_format(opened, intent=intent, config=config, animated=animated)
    return name, min(opened.image.get_n_pages(), most) if animated and FORMATS[name].animation_save else 1


def _result_format(opened: loading.Opened, *, intent: Intent, config: EngineConfig, animated: bool) -> str:
    padded = intent.padding_top or intent.padding_right or intent.padding_bottom or intent.padding_left
    transparent = bool(opened.image.hasalpha() or padded or intent.extend or intent.transparent)
    return output.choose_format(
        intent.source_format or opened.format,
        intent=intent,
        config=config,
        animated=animated,
        transparent=transparent and intent.background is None,
    )


def _guarded_vector(
    source: bytes, image: pyvips.Image, *, intent: Intent, config: EngineConfig, deadline: Deadline
) -> tuple[pyvips.Image, float]:
    """Render a vector picture that is too large smaller, instead of refusing it; also give how much smaller."""
    bound = intent.limits.max_src_pixels
    pixels = image.width * image.height
    if not bound or pixels <= bound:
        return image, 1.0
    shrink = math.sqrt(pixels / bound)
    smaller = loading.load(source, "svg", config=config, deadline=deadline, limits=intent.limits, shrink=shrink)
    return smaller, shrink


def run_stages(
    frame: Frame, transforms: Sequence[Transform], spent: Spent, *, start: int = 0, until: int | None = None
) -> Frame:
    """Run the stages with these indices of PIPELINE."""
    now = time.perf_counter()
    for stage, step, _ in PIPELINE[start:until]:
        before, began = frame, now
        if step is not None:
            frame = step(frame)
        here = [one for one in transforms if one.spec.stage is stage] if transforms else []
        if stage is Stage.FILTER:
            frame = run_filters(frame, here)
        else:
            frame = reduce(lambda so_far, one: one.apply(so_far), here, frame)
        now = time.perf_counter()
        if frame is not before:  # most stages have nothing to do; their zeros would say as little as they cost
            spent[stage.value] = spent.get(stage.value, 0.0) + now - began
        frame.deadline.check()
    return frame
