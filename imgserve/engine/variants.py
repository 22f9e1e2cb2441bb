"""Many results of one source: what they have in common is done once, and each is what `render` alone would make.

Work is shared where it is provably the same work. Results that differ in format, quality or byte limit only share one
picture and are encoded from it; pictures that the decoder gives at the same size share one decoding. What is not shared
(animations, sources served as they are, whatever goes wrong) goes through `render`, so its errors are `render`'s too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import pyvips

from imgserve import metrics
from imgserve.engine import geometry, output
from imgserve.engine.deadline import Deadline
from imgserve.engine.frame import Frame
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.load import Opened, load, open_source
from imgserve.engine.pipeline import PIPELINE, Rendered, Spent, finish, first_frame, render, run_stages
from imgserve.engine.preshrink import jpeg_shrink
from imgserve.engine.sharing import Group, Level, Opening, Start, Variant, alike, opening_of, parts
from imgserve.errors import ImgserveError
from imgserve.spec.op import Stage

#: Decoded pictures and results above it are not kept for sharing. It holds what the default limit on sources lets in,
#: 50 megapixels, with 4 channels of 8 bits.
MAX_SHARED_BYTES: Final = 256 * 1024 * 1024

_STAGES: Final = [stage for stage, _, _ in PIPELINE]
#: Pictures are shared as they come from the decoder, and as they are before the first stage that asks for the format.
_DECODED: Final = _STAGES.index(Stage.SHRINK) + 1
_FINISHED: Final = _STAGES.index(Stage.LIMIT)

#: Their loaders shrink, so that one source is decoded several times unless a pyramid is allowed.
_SHRINKING: Final = ("jpeg", "webp")

_TROUBLE: Final = (ImgserveError, pyvips.Error)
_SAMPLE_BYTES: Final = {"uchar": 1, "char": 1, "ushort": 2, "short": 2, "double": 8, "complex": 8, "dpcomplex": 16}

Outcome = tuple[int, Rendered | ImgserveError]


def render_variants(
    source: bytes,
    variants: Sequence[Variant],
    *,
    config: EngineConfig,
    deadline: Deadline,
    pyramid: bool = False,
    max_shared_bytes: int = MAX_SHARED_BYTES,
) -> Iterator[Outcome]:
    """Make all variants of encoded bytes, each as soon as it is done; blocks, for one worker thread.

    Gives every index of `variants` once, in an order of its own, with the result or with the error that `render` would
    raise. `deadline` bounds all of them together: when it is over, those that are left end as RenderTimeout.

    The bytes are those of `render`. With `pyramid` a JPEG or WebP without alpha is decoded once, and smaller pictures
    are halved from larger ones instead of decoded again: quicker, of the same sizes, and other bytes.

    At any time one decoded picture is held (two while a pyramid is halved), one result's pixels before and one after
    its format's own stages, each of at most `max_shared_bytes`, and one encoded result: the caller's to free.
    """
    job = _Job(source=source, config=config, deadline=deadline, pyramid=pyramid, max_shared_bytes=max_shared_bytes)
    try:
        yield from _render_all(job, variants)
    finally:
        deadline.release()


@dataclass(frozen=True, slots=True)
class _Picture:
    """What was decoded for a level."""

    level: Level
    image: pyvips.Image


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What is the same for all variants."""

    source: bytes
    config: EngineConfig
    deadline: Deadline
    pyramid: bool
    max_shared_bytes: int

    def alone(self, index: int, variant: Variant) -> Outcome:
        """Make one variant as if it were the only one."""
        try:
            return index, render(
                self.source,
                intent=variant.intent,
                transforms=variant.transforms,
                config=self.config,
                deadline=self.deadline,
                readings=variant.readings,
            )
        except ImgserveError as error:
            return index, error

    def opened(self, intent: Intent) -> Opened:
        return open_source(self.source, intent=intent, config=self.config, deadline=self.deadline)

    def begun(self, index: int, variant: Variant, opened: Opened) -> Start | None:
        """Solve a variant's layout; None when it is none to share work with."""
        intent, config = variant.intent, self.config
        if output.passes_through(opened.format, intent=intent, config=config):
            return None
        frame, size = first_frame(
            self.source, opened, intent=intent, config=config, deadline=self.deadline, readings=variant.readings
        )
        # Frames of an animation are made one by one, so that they are never decoded all at the same time.
        return Start(index, variant, frame, size) if frame.pages == 1 else None

    def fits(self, image: pyvips.Image) -> bool:
        size = image.width * image.height * image.bands * _SAMPLE_BYTES.get(str(image.format), 4)
        return size <= self.max_shared_bytes

    def in_memory(self, image: pyvips.Image) -> pyvips.Image:
        """Decode, or halve, now."""
        held = self.deadline.watch(image).copy_memory()
        self.deadline.check()
        return held

    def smaller(self, start: Start, step: int) -> pyvips.Image:
        """Open the source `step` times smaller."""
        if step == 1:
            return start.frame.image
        return load(
            self.source,
            start.frame.source_format,
            config=self.config,
            deadline=self.deadline,
            limits=start.variant.intent.limits,
            shrink=step,
        )


def _render_all(job: _Job, variants: Sequence[Variant]) -> Iterator[Outcome]:
    starts: list[Start] = []
    openings: dict[Opening, Opened] = {}
    for index, variant in enumerate(variants):
        start = None
        # Whatever is wrong, `render` will say it.
        with suppress(*_TROUBLE):
            key = opening_of(variant.intent)
            if key not in openings:
                openings[key] = job.opened(variant.intent)
            start = job.begun(index, variant, openings[key])
        if start is None:
            yield job.alone(index, variant)
        else:
            starts.append(start)
    groups: list[Group] = []
    for same in alike(starts):
        try:
            groups.append(_group(job, same))
        except _TROUBLE:
            yield from (job.alone(start.index, start.variant) for start in same)
    yield from _by_levels(job, groups)


def _group(job: _Job, starts: list[Start]) -> Group:
    """Find out which decoded picture these variants need."""
    first = starts[0]
    if any(_STAGES.index(one.spec.stage) < _DECODED for one in first.variant.transforms):
        # The picture is changed before the decoder is told a size.
        return Group(starts, None, first.frame)
    factor, opening = geometry.loader_shrink(first.frame), opening_of(first.variant.intent)
    if job.pyramid and first.frame.source_format in _SHRINKING and not first.frame.image.hasalpha():
        return Group(starts, Level(opening, jpeg_shrink(factor), pyramid=True), first.frame)
    frame = geometry.shrink_on_load(first.frame)
    # A thumbnail that is too small is not taken: the picture is read as it is.
    return Group(starts, Level(opening, 1 if frame is first.frame else factor, pyramid=False), frame)


def _by_levels(job: _Job, groups: Sequence[Group]) -> Iterator[Outcome]:
    """Make the groups level by level, so that one decoded picture is held at a time, and larger ones come first."""
    levels: dict[Level, list[Group]] = {}
    for group in groups:
        if group.level is None:
            yield from _made(job, group, None)
        else:
            levels.setdefault(group.level, []).append(group)
    openings = [level.opening for level in levels]
    picture: _Picture | None = None
    for level in sorted(levels, key=lambda level: (openings.index(level.opening), level.factor)):
        members = levels[level]
        try:
            picture = _decoded(job, level, members, above=picture)
        except _TROUBLE:
            picture = None
        for group in members:
            yield from _made(job, group, picture)
        if not level.pyramid:
            picture = None


def _decoded(job: _Job, level: Level, groups: Sequence[Group], *, above: _Picture | None) -> _Picture | None:
    """Get the picture of a level; None when it is too large to be held while all groups read it."""
    first = groups[0]
    if level.pyramid and above is not None and above.level.opening == level.opening:
        times = round(level.factor / above.level.factor)
        # Rounded up as libjpeg does, so that results have the sizes they have alone.
        image = above.image.shrink(times, times, ceil=True)
    elif level.pyramid:
        image = job.smaller(first.starts[0], round(level.factor))
    else:
        image = first.frame.image
        if len(groups) == 1:
            return _Picture(level, image)
    return _Picture(level, job.in_memory(image)) if job.fits(image) else None


def _made(job: _Job, group: Group, picture: _Picture | None) -> Iterator[Outcome]:
    """Run the stages for a group, the last ones once for each kind of format, and encode."""
    transforms, spent = group.starts[0].variant.transforms, Spent()
    try:
        frame = _placed(job, group, picture)
        job.deadline.watch(frame.image)
        first = 0 if group.level is None else _DECODED
        head = run_stages(frame, transforms, spent, start=first, until=_FINISHED)
        shares = parts(head, group.starts)
        if len(group.starts) > 1 and not job.fits(head.image):
            shares = []
        elif len(shares) > 1:
            head = head.in_memory()
    except _TROUBLE:
        shares = []
    metrics.rendered(spent)
    if not shares:
        yield from (job.alone(start.index, start.variant) for start in group.starts)
    for part in shares:
        yield from _encoded(job, head, part)
    # Until the next group says what it works on, there is nothing to stop; and the pixels can go.
    job.deadline.release()


def _placed(job: _Job, group: Group, picture: _Picture | None) -> Frame:
    """Give the group's frame with the picture of its level."""
    level, first = group.level, group.starts[0]
    if level is None or picture is None:
        # A source is read once from top to bottom, and another group may have read this one.
        start = job.begun(first.index, first.variant, job.opened(first.variant.intent)) or first
        return start.frame if level is None else geometry.shrink_on_load(start.frame)
    if level.pyramid and level.factor > 1:
        return geometry.take_smaller(group.frame, picture.image, level.factor)
    return group.frame.with_image(picture.image)


def _encoded(job: _Job, head: Frame, part: Sequence[Start]) -> Iterator[Outcome]:
    """Run the last stages once for these variants and encode each."""
    spent = Spent()
    try:
        tail = run_stages(_for(part[0], head), part[0].variant.transforms, spent, start=_FINISHED)
        if len(part) > 1:
            tail = tail.in_memory()
    except _TROUBLE:
        yield from (job.alone(start.index, start.variant) for start in part)
        return
    for start in part:
        try:
            outcome: Outcome = start.index, finish(_for(start, tail), start.size, spent)
            metrics.rendered(spent)
        except _TROUBLE:
            outcome = job.alone(start.index, start.variant)
        spent = Spent()  # the next one has only its encoding
        yield outcome


def _for(start: Start, frame: Frame) -> Frame:
    return replace(frame, intent=start.variant.intent, format=start.frame.format)
