"""IPTC-IIM as text: captions, keywords and rights as press agencies write them into pictures."""

from __future__ import annotations

import struct
from typing import Final

from imgserve.engine.photoshop import IPTC_RESOURCE, resources

_RECORD: Final = struct.Struct(">BBBH")
_MARK: Final = 0x1C
#: Sizes from here on have another form, for data and not for text.
_MAX_SIZE: Final = 0x8000

#: Cut, a text still says that it is there.
_MAX_VALUE: Final = 1024
_MAX_VALUES: Final = 500

#: Record 1, 90: how texts are encoded; these bytes are UTF-8's.
_ENCODING: Final = (1, 90)
_UTF8: Final = b"\x1b%G"

#: Of record 2 (IIM 4.2), with the names for people that imgproxy's answers have where they are known.
_NAMES: Final = {
    3: "Object Type Reference",
    4: "Object Attribute Reference",
    5: "Name",
    7: "Edit Status",
    8: "Editorial Update",
    10: "Urgency",
    12: "Subject Reference",
    15: "Category",
    20: "Supplemental Category",
    22: "Fixture Identifier",
    25: "Keywords",
    26: "Content Location Code",
    27: "Content Location Name",
    30: "Release Date",
    35: "Release Time",
    37: "Expiration Date",
    38: "Expiration Time",
    40: "Special Instructions",
    42: "Action Advised",
    45: "Reference Service",
    47: "Reference Date",
    50: "Reference Number",
    55: "Date Created",
    60: "Time Created",
    62: "Digital Creation Date",
    63: "Digital Creation Time",
    65: "Originating Program",
    70: "Program Version",
    75: "Object Cycle",
    80: "Byline",
    85: "Byline Title",
    90: "City",
    92: "Sublocation",
    95: "Province or State",
    100: "Country Code",
    101: "Country Name",
    103: "Original Transmission Reference",
    105: "Headline",
    110: "Credit",
    115: "Source",
    116: "Copyright Notice",
    118: "Contact",
    120: "Caption",
    122: "Writer or Editor",
    131: "Image Orientation",
    135: "Language Identifier",
}
#: Those that may come several times are lists, however often they come.
_LISTS: Final = frozenset((4, 12, 20, 25, 26, 27, 45, 47, 50, 80, 85, 118, 122))


def read_iptc(data: bytes) -> dict[str, str | list[str]]:
    """Give the texts of a Photoshop block, or of bare records, by name; what is no text is left out."""
    records = _records(next((content for kind, content in resources(data) if kind == IPTC_RESOURCE), data))
    is_utf8 = any((record, number) == _ENCODING and value == _UTF8 for record, number, value in records)
    out: dict[str, str | list[str]] = {}
    for record, number, value in records[:_MAX_VALUES]:
        name = _NAMES.get(number) if record == 2 else None
        if name is None:
            continue
        text = _text(value, is_utf8=is_utf8)
        so_far = out.setdefault(name, [] if number in _LISTS else text)
        if isinstance(so_far, list):
            so_far.append(text)
    return out


def _records(data: bytes) -> list[tuple[int, int, bytes]]:
    found: list[tuple[int, int, bytes]] = []
    at = 0
    while at + _RECORD.size <= len(data) and len(found) <= _MAX_VALUES:
        mark, record, number, size = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        if mark != _MARK or size >= _MAX_SIZE or at + size > len(data):
            break
        found.append((record, number, data[at : at + size]))
        at += size
    return found


def _text(value: bytes, *, is_utf8: bool) -> str:
    """Read a text; where its encoding is not told it is UTF-8 if it can be, else of the West."""
    try:
        text = value.decode("utf-8", "replace" if is_utf8 else "strict")
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return text.strip("\x00 ")[:_MAX_VALUE]
