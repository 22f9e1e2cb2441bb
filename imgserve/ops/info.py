"""Options of /info: what to tell of a source, and how to treat the request. Names mean other things than in URLs of
pictures, so they have a catalog of their own.

A field is a class: what it tells stands in its `told`, where that comes from in its base (`ops.info_fields`).
"""

from __future__ import annotations

import dataclasses
from typing import Final, TypeVar

from imgserve.ops.delivery import Cachebuster, CacheTags, Expires
from imgserve.ops.info_fields import BytesField, Extent, Field, HeadField, PixelField, ReadingField
from imgserve.ops.info_hashsums import CalcHashsums, Hashsum
from imgserve.ops.info_head import (
    Bands,
    Colorspace,
    Dimensions,
    Exif,
    Iptc,
    PagesNumber,
    SampleFormat,
    Size,
    SourceFormat,
    Xmp,
)
from imgserve.ops.info_models import Classify, DetectObjects, Faces, Nsfw, ReadText
from imgserve.ops.info_pixels import (
    Alpha,
    Average,
    Blurhash,
    CropBox,
    DominantColors,
    Lqip,
    Palette,
    PerceptualHash,
    ThumbHash,
)
from imgserve.ops.limits import MaxSrcFileSize, MaxSrcResolution
from imgserve.plan.model import Plan
from imgserve.plan.presets import Preset
from imgserve.plan.url import Grammar
from imgserve.spec.op import Catalog, Op

F = TypeVar("F", bound=Field)

HEAD_FIELDS: Final[tuple[type[HeadField], ...]] = (
    Size,
    SourceFormat,
    Dimensions,
    Exif,
    Iptc,
    Xmp,
    Colorspace,
    Bands,
    SampleFormat,
    PagesNumber,
)
BYTES_FIELDS: Final[tuple[type[BytesField], ...]] = (CalcHashsums,)
PIXEL_FIELDS: Final[tuple[type[PixelField], ...]] = (
    Alpha,
    CropBox,
    Palette,
    Average,
    DominantColors,
    Blurhash,
    ThumbHash,
    PerceptualHash,
    Lqip,
)
READING_FIELDS: Final[tuple[type[ReadingField], ...]] = (DetectObjects, Faces, ReadText, Classify, Nsfw)
_CONTROL: Final[tuple[type[Op], ...]] = (Cachebuster, CacheTags, Expires)

#: Stands before the signature in URLs of /info, and is not signed.
INFO: Final = "/info"

#: In the order of the answer.
INFO_CATALOG: Final = Catalog(
    [
        (Preset,),
        HEAD_FIELDS,
        BYTES_FIELDS,
        PIXEL_FIELDS,
        READING_FIELDS,
        _CONTROL,
        (Hashsum, MaxSrcResolution, MaxSrcFileSize),
    ]
)


def info_grammar(grammar: Grammar) -> Grammar:
    """Give the grammar of /info for that of pictures: sources and permissions are the same, presets are not.

    Where URLs may say nothing but presets, those of /info may say nothing that changes what is told.
    """
    allowed = grammar.allowed_options
    if grammar.only_presets:
        allowed = frozenset(name for cls in _CONTROL for name in cls.spec.names)
    return dataclasses.replace(grammar, catalog=INFO_CATALOG, presets={}, only_presets=False, allowed_options=allowed)


def head_fields(plan: Plan) -> list[HeadField]:
    """List what is to be told of the head of the source; usual fields are told where the URL does not name them."""
    usual = [plan.get(cls) or cls() for cls in HEAD_FIELDS if cls.usual]
    return [one for one in (*usual, *(one for one in fields(plan, HeadField) if not one.usual)) if one.wanted]


def fields(plan: Plan, kind: type[F]) -> list[F]:
    """List what the URL asks for of one kind, in the order of the answer."""
    return [one for one in plan.ops if isinstance(one, kind) and one.wanted]


def extent_of(plan: Plan) -> Extent:
    """Tell how much of the source the answer takes."""
    checked = plan.get(Hashsum)
    extents = [one.extent for one in (*head_fields(plan), *fields(plan, Field))]
    if checked is not None and checked.wanted:
        extents.append(Extent.WHOLE)
    return max(extents, default=Extent.HEAD)
