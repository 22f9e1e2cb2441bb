"""XMP as values: what editors write into pictures as XML, by namespace and name."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from xml.etree import ElementTree as ET

#: Packets are some kilobytes; a longer one is not read.
_MAX_BYTES: Final = 1024 * 1024
_MAX_VALUES: Final = 500
#: Cut, a text still says that it is there.
_MAX_TEXT: Final = 1024
#: Structures in lists in structures; more of them are no metadata.
_MAX_DEPTH: Final = 6

_RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"
#: An item of a list, whatever it is called.
_ITEM: Final = f"{_RDF}li"
_DEFAULT_LANGUAGE: Final = "x-default"
_META: Final = "{adobe:ns:meta/}"

#: The names that these have everywhere, whatever a packet calls them.
_PREFIXES: Final = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/rights/": "xmpRights",
    "http://ns.adobe.com/xap/1.0/mm/": "xmpMM",
    "http://ns.adobe.com/xap/1.0/bj/": "xmpBJ",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/camera-raw-settings/1.0/": "crs",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/exif/1.0/aux/": "aux",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/lightroom/1.0/": "lr",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Iptc4xmpCore",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://creativecommons.org/ns#": "cc",
    "http://ns.useplus.org/ldf/xmp/1.0/": "plus",
}

Value = Any


def read_xmp(data: bytes) -> dict[str, dict[str, Value]]:
    """Give the properties by prefix and name; empty for what is no XMP, or could harm who reads it."""
    if len(data) > _MAX_BYTES:
        return {}
    try:
        text = data.decode().strip("\x00 \r\n\t\ufeff")
        # Entities, which a few bytes could make gigabytes of, need a document type, and no XMP has one.
        events = ET.iterparse(io.StringIO(text), events=("start-ns",)) if "<!DOCTYPE" not in text else None  # noqa: S314 - no document type, so no entities
        declared = {space: prefix for _, (prefix, space) in events} if events is not None else {}
    except (ET.ParseError, ValueError):
        return {}
    if events is None:
        return {}
    return _Reader(declared | _PREFIXES).properties(events.root)  # type: ignore[attr-defined] # missing in typeshed


@dataclass(slots=True)
class _Reader:
    """Reads as much of a packet as there is room for."""

    prefixes: Mapping[str, str]
    room: int = field(default=_MAX_VALUES)

    def properties(self, root: ET.Element) -> dict[str, dict[str, Value]]:
        rdf = root if root.tag == f"{_RDF}RDF" else root.find(f"{_RDF}RDF")
        out: dict[str, dict[str, Value]] = {}
        for description in rdf.findall(f"{_RDF}Description") if rdf is not None else ():
            for space, name, value in self._of(description, 0):
                out.setdefault(self.prefixes.get(space) or space[:_MAX_TEXT], {}).setdefault(name, value)
        return out

    def _of(self, element: ET.Element, depth: int) -> Iterator[tuple[str, str, Value]]:
        """Give namespace, name and value of each property of a structure."""
        for raw, text in element.attrib.items():
            if not raw.startswith((_RDF, _META, _LANGUAGE)) and self._takes():
                yield *_split(raw), text[:_MAX_TEXT]
        for child in element:
            if self._takes():
                yield *_split(child.tag), self._value(child, depth + 1)

    def _takes(self) -> bool:
        self.room -= 1
        return self.room >= 0

    def _value(self, element: ET.Element, depth: int) -> Value:
        if depth > _MAX_DEPTH:
            return ""
        for kind in ("Bag", "Seq"):
            if (listed := element.find(_RDF + kind)) is not None:
                return [self._value(item, depth + 1) for item in listed.findall(_ITEM) if self._takes()]
        if (choice := element.find(f"{_RDF}Alt")) is not None:
            return self._preferred(choice, depth)
        inner = element.find(f"{_RDF}Description")
        structure = element if inner is None else inner
        fields = {name: value for _, name, value in self._of(structure, depth)}
        if fields:
            return fields
        return (element.get(f"{_RDF}resource") or element.text or "").strip()[:_MAX_TEXT]

    def _preferred(self, choice: ET.Element, depth: int) -> Value:
        """Give the text of the default language, else the first one."""
        items = choice.findall(_ITEM)
        default = next((one for one in items if one.get(_LANGUAGE) == _DEFAULT_LANGUAGE), None)
        chosen = default if default is not None else next(iter(items), None)
        return self._value(chosen, depth + 1) if chosen is not None else ""


def _split(name: str) -> tuple[str, str]:
    """Give namespace and local name of `{namespace}name`."""
    space, _, local = name.removeprefix("{").rpartition("}")
    return space, local[:_MAX_TEXT]
