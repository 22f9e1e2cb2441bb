"""Leave metadata out of the result, except who made the picture (imgproxy, reference c.14)."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Final
from xml.etree import ElementTree as ET

import pyvips

from imgserve.engine import tags
from imgserve.engine.frame import Frame

#: 72 dots an inch, in dots a millimetre.
_RESOLUTION: Final = 72.0 / 25.4

_EXIF, _IPTC, _XMP = "exif-data", "iptc-data", "xmp-data"
_COPYRIGHT_TAGS: Final = ("exif-ifd0-Copyright", "exif-ifd0-Artist")

#: IPTC record 2: by-line, credit, copyright notice.
_IPTC_KEPT: Final = (80, 110, 116)
_IPTC_RECORD: Final = struct.Struct(">BBBH")
_IPTC_MARK: Final = 0x1C
#: What JPEG segments with Photoshop resources begin with, and what each resource does.
_PHOTOSHOP: Final = b"Photoshop 3.0\x00"
_RESOURCE_MARK: Final = b"8BIM"
#: The Photoshop resource that holds IPTC data.
_IPTC_RESOURCE: Final = 0x0404

_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC: Final = "http://purl.org/dc/elements/1.1/"
_XMP_KEPT: Final = ("http://ns.adobe.com/xap/1.0/rights/", "http://creativecommons.org/ns#")
_DC_KEPT: Final = ("rights", "contributor", "creator", "publisher")
#: XMP packets are some kilobytes; a longer one is not read.
_MAX_XMP_BYTES: Final = 1024 * 1024


def strip(frame: Frame) -> Frame:
    """Let the saver drop all metadata but the colour profile and, if wanted, authorship."""
    if not frame.intent.strip_metadata:
        return frame
    image = frame.image.copy(xres=_RESOLUTION, yres=_RESOLUTION)
    # AVIF has an orientation besides EXIF's, which the saver takes for no metadata.
    tags.remove(image, "orientation")
    kept = ["icc"]
    if frame.intent.keep_copyright:
        for name, keep, reduce in ((_IPTC, "iptc", authors_of_iptc), (_XMP, "xmp", authors_of_xmp)):
            if image.get_typeof(name) and (data := reduce(tags.blob(image, name))):
                tags.put_blob(image, name, data)
                kept.append(keep)
        if _keep_exif_authors(image):
            kept.append("exif")
    return replace(frame, image=image, keep=":".join(kept))


def _keep_exif_authors(image: pyvips.Image) -> bool:
    """Take every EXIF tag away but copyright and artist; tell whether one of them is there."""
    if not image.get_typeof(_EXIF) or not any(image.get_typeof(tag) for tag in _COPYRIGHT_TAGS):
        return False
    try:
        fields = image.get_fields()
    except UnicodeDecodeError:
        # Comments of PNG become names of fields; with one that is no text, the tags cannot be gone through.
        return False
    for name in fields:
        if (name.startswith("exif-ifd") and name not in _COPYRIGHT_TAGS) or name == "orientation":
            image.remove(name)
    # libvips would carry the camera's preview picture over.
    tags.remove(image, "jpeg-thumbnail-data")
    return True


def authors_of_iptc(data: bytes) -> bytes:
    """Reduce a Photoshop resource block to the IPTC records that name authors; empty when there are none."""
    kept = b"".join(_iptc_records(_iptc_resource(data)))
    if not kept:
        return b""
    padding = b"\x00" * (len(kept) % 2)
    return _PHOTOSHOP + _RESOURCE_MARK + struct.pack(">HHI", _IPTC_RESOURCE, 0, len(kept)) + kept + padding


def _iptc_resource(data: bytes) -> bytes:
    at = data.find(_RESOURCE_MARK)
    while at >= 0 and at + 12 <= len(data) and data.startswith(_RESOURCE_MARK, at):
        kind = int.from_bytes(data[at + 4 : at + 6], "big")
        # A Pascal string, padded to even length with its length byte.
        name = (data[at + 6] + 2) & ~1
        start = at + 6 + name + 4
        size = int.from_bytes(data[start - 4 : start], "big")
        if kind == _IPTC_RESOURCE:
            return data[start : start + size]
        at = start + size + size % 2
    return data if data[:1] == bytes((_IPTC_MARK,)) else b""


def _iptc_records(data: bytes) -> list[bytes]:
    kept = []
    at = 0
    while at + _IPTC_RECORD.size <= len(data):
        mark, record, tag, size = _IPTC_RECORD.unpack_from(data, at)
        # Sizes of 32 KiB and more have another form, which no authorship needs.
        if mark != _IPTC_MARK or size >= 0x8000:
            break
        end = at + _IPTC_RECORD.size + size
        if record == 2 and tag in _IPTC_KEPT:
            kept.append(data[at:end])
        at = end
    return kept


def authors_of_xmp(data: bytes) -> bytes:
    """Reduce an XMP packet to rights, creators, contributors and publishers; empty when there are none."""
    if len(data) > _MAX_XMP_BYTES:
        return b""
    try:
        text = data.decode().strip("\x00 \r\n\t\ufeff")
        # No XMP has a document type; what has one is an attack on the parser.
        root = ET.fromstring(text) if "<!" not in text else None  # noqa: S314 - no document type, so no entities
    except (ET.ParseError, ValueError):
        return b""
    if root is None:
        return b""
    rdf = root if root.tag == f"{{{_RDF}}}RDF" else root.find(f"{{{_RDF}}}RDF")
    if rdf is None:
        return b""
    kept = ET.Element("{adobe:ns:meta/}xmpmeta")
    out = ET.SubElement(ET.SubElement(kept, rdf.tag), f"{{{_RDF}}}Description")
    out.set(f"{{{_RDF}}}about", "")
    for description in rdf.findall(f"{{{_RDF}}}Description"):
        for name, value in description.attrib.items():
            if _names_author(name):
                out.set(name, value)
        out.extend(child for child in description if _names_author(child.tag))
    if len(out) == 0 and len(out.attrib) == 1:
        return b""
    return bytes(ET.tostring(kept, encoding="utf-8"))


def _names_author(name: str) -> bool:
    space, _, local = name.removeprefix("{").rpartition("}")
    return space in _XMP_KEPT or (space == _DC and local in _DC_KEPT)
