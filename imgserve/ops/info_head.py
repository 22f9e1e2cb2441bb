"""Fields of /info that the head of a source has: what it is, and what its makers wrote into it."""

from __future__ import annotations

from typing import Any

from imgserve.engine import tags
from imgserve.engine.exif import read_exif, title_of
from imgserve.engine.formats import FORMATS
from imgserve.engine.header import orientation_of, size_of
from imgserve.engine.iptc import read_iptc
from imgserve.engine.photoshop import resolution
from imgserve.engine.xmp import read_xmp
from imgserve.ops.info_fields import ANSWER, ENABLED, Extent, Head, HeadField
from imgserve.spec.op import op
from imgserve.spec.params import flag


@op("size", "s", stage=ANSWER, example="size:1")
class Size(HeadField):
    """`size`: bytes of the source."""

    usual = True
    enabled: bool = flag(default=True, doc=ENABLED)

    def told(self, head: Head) -> dict[str, Any]:
        return {"size": head.size}


@op("format", "f", stage=ANSWER, example="format:1")
class SourceFormat(HeadField):
    """`format` and `mime_type`, by the content of the source and not by the name of the file."""

    usual = True
    enabled: bool = flag(default=True, doc=ENABLED)

    def told(self, head: Head) -> dict[str, Any]:
        return {"format": head.opened.format, "mime_type": FORMATS[head.opened.format].mime}


@op("dimensions", "d", stage=ANSWER, example="dimensions:1")
class Dimensions(HeadField):
    """`width` and `height` as people see the picture, and the `orientation` (1 to 8, 1 = as stored) that EXIF gives."""

    usual = True
    enabled: bool = flag(default=True, doc=ENABLED)

    def told(self, head: Head) -> dict[str, Any]:
        width, height = size_of(head.opened)
        return {"width": width, "height": height, "orientation": orientation_of(head.opened)}


@op("exif", stage=ANSWER, example="exif:1:1")
class Exif(HeadField):
    """`exif`: what the camera wrote, where the picture was taken too."""

    usual = True
    enabled: bool = flag(default=True, doc=ENABLED)
    canonical: bool = flag(default=False, doc="names as in the standard (`DateTimeOriginal`), not for people")

    def told(self, head: Head) -> dict[str, Any]:
        found = read_exif(head.opened.image)
        return {"exif": found if self.canonical else {title_of(name): value for name, value in found.items()}}


@op("iptc", stage=ANSWER, example="iptc:1")
class Iptc(HeadField):
    """`iptc`: captions, keywords and rights by the names of IPTC-IIM; `photoshop`: the resolution that it noted."""

    usual = True
    enabled: bool = flag(default=True, doc=ENABLED)

    def told(self, head: Head) -> dict[str, Any]:
        data = tags.blob(head.opened.image, "iptc-data")
        found = resolution(data)
        return {"iptc": read_iptc(data), "photoshop": {"resolution": found} if found else {}}


@op("xmp", stage=ANSWER, example="xmp:1")
class Xmp(HeadField):
    """`xmp`: what editors wrote, by namespace and name; of several languages the default one is told."""

    usual = True
    enabled: bool = flag(default=True, doc=ENABLED)

    def told(self, head: Head) -> dict[str, Any]:
        return {"xmp": read_xmp(tags.blob(head.opened.image, "xmp-data"))}


@op("colorspace", "cs", stage=ANSWER, example="colorspace:1")
class Colorspace(HeadField):
    """`colorspace` of the pixels as they are stored: `srgb` (any RGB), `b-w`, `cmyk`, `rgb16`, `grey16`, `lab` …"""

    enabled: bool = flag(doc=ENABLED)

    def told(self, head: Head) -> dict[str, Any]:
        return {"colorspace": str(head.opened.image.interpretation)}


@op("bands", "b", stage=ANSWER, example="bands:1")
class Bands(HeadField):
    """`bands`: channels of the picture, alpha too."""

    enabled: bool = flag(doc=ENABLED)

    def told(self, head: Head) -> dict[str, Any]:
        return {"bands": head.opened.image.bands}


@op("sample_format", "sf", stage=ANSWER, example="sample_format:1")
class SampleFormat(HeadField):
    """`sample_format`: what a value of a channel is, `uchar` (8 bits), `ushort` (16 bits) or `float`."""

    enabled: bool = flag(doc=ENABLED)

    def told(self, head: Head) -> dict[str, Any]:
        return {"sample_format": str(head.opened.image.format)}


@op("pages_number", "pn", stage=ANSWER, example="pages_number:1")
class PagesNumber(HeadField):
    """`pages_number`: pages of a TIFF, frames of an animation, pictures in an AVIF; 1 for all others."""

    # A GIF does not say how many frames it has; they are counted.
    extent = Extent.WHOLE
    enabled: bool = flag(doc=ENABLED)

    def told(self, head: Head) -> dict[str, Any]:
        return {"pages_number": head.opened.image.get_n_pages()}
