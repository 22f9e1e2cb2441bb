"""Serve SVG as it is, without what could run or fetch something (imgproxy, reference c.16, and stricter).

The text is read by expat and written anew from its events, so what is not written here cannot be in the result: no
document type, no entities, no processing instructions, no comments. Elements that run, embed or post are left out with
all they hold, as are event handlers and references that leave the document.
"""

from __future__ import annotations

import re
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from imgserve.engine.css import IGNORED_IN_URLS, clean_css
from imgserve.errors import ImageRefused

_MAX_BYTES: Final = 16 * 1024 * 1024
#: Entities may make the text this much longer.
_MAX_GROWTH: Final = 4
_MAX_DEPTH: Final = 512

_SEPARATOR: Final = "\x1f"
_SVG: Final = "http://www.w3.org/2000/svg"
_XHTML: Final = "http://www.w3.org/1999/xhtml"
_XML: Final = "http://www.w3.org/XML/1998/namespace"
_XML_EVENTS: Final = "http://www.w3.org/2001/xml-events"

_DROPPED: Final = frozenset(
    (
        *("script", "iframe", "form", "foreignobject", "object", "embed", "applet", "audio", "video", "canvas"),
        *("link", "meta", "base", "handler", "listener", "frame", "frameset", "portal", "template"),
    )
)
#: They could set a reference or a handler after all checks.
_ANIMATING: Final = frozenset(("animate", "animatecolor", "animatemotion", "animatetransform", "set"))
_NOT_ANIMATED: Final = re.compile(r"^(?:href|on.*|style|src)$", re.IGNORECASE | re.DOTALL)

_LINK: Final = re.compile(r"^(?:https?://|(?![a-z][a-z0-9+.-]*:|//))", re.IGNORECASE)
_PICTURE: Final = re.compile(r"^(?:#|data:image/(?:png|jpe?g|gif|webp|avif|bmp)[;,])", re.IGNORECASE)


def sanitise(data: bytes) -> bytes:
    """Give the SVG without scripts, handlers and outside references, as UTF-8; raises ImageRefused if it is broken."""
    if len(data) > _MAX_BYTES:
        raise ImageRefused("The SVG is too large to be served as it is.", expected=f"at most {_MAX_BYTES} bytes")
    writer = _Writer(limit=_MAX_GROWTH * len(data) + 4096)
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.namespace_prefixes = True
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartElementHandler = writer.start
    parser.EndElementHandler = writer.end
    parser.CharacterDataHandler = writer.text
    parser.StartNamespaceDeclHandler = writer.declare
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise _broken() from error
    if not writer.parts:
        raise _broken()
    return "".join(writer.parts).encode()


def _broken() -> ImageRefused:
    return ImageRefused("The source is broken: it begins like an SVG but is not well-formed XML.")


class _Writer:
    """Collect the events that may stay as text."""

    def __init__(self, *, limit: int) -> None:
        self.parts: list[str] = []
        self._room = limit
        self._open: list[tuple[str, str]] = []
        self._declared: list[tuple[str | None, str | None]] = []
        #: Depth inside an element that is left out.
        self._skipped = 0
        self._style: list[str] = []

    def declare(self, prefix: str | None, uri: str | None) -> None:
        self._declared.append((prefix, uri))

    def start(self, name: str, attributes: dict[str, str]) -> None:
        declared, self._declared = self._declared, []
        space, local, tag = _split(name)
        if self._skipped or _is_dropped(space, local, attributes):
            self._skipped += 1
            return
        if len(self._open) >= _MAX_DEPTH or (not self._open and (space, local) not in ((_SVG, "svg"), ("", "svg"))):
            raise _broken()
        pieces = [f"<{tag}"]
        for prefix, uri in declared:
            pieces.append(f" xmlns{':' + prefix if prefix else ''}={quoteattr(uri or '')}")
        for raw, value in attributes.items():
            space_of, plain, shown = _split(raw)
            kept = _attribute(local.lower(), space_of, plain.lower(), value)
            if kept is not None:
                pieces.append(f" {shown}={quoteattr(kept)}")
        self._open.append((local.lower(), tag))
        self._write("".join([*pieces, ">"]))

    def end(self, name: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        local, tag = self._open.pop()
        if local == "style" and self._style:
            self._write(escape(clean_css("".join(self._style))))
            self._style.clear()
        self._write(f"</{tag}>")

    def text(self, data: str) -> None:
        if self._skipped or not self._open:
            return
        if self._open[-1][0] == "style":
            # It may come in pieces; only the whole can be judged.
            self._style.append(data)
            self._take(len(data))
        else:
            self._write(escape(data))

    def _write(self, text: str) -> None:
        self._take(len(text))
        self.parts.append(text)

    def _take(self, count: int) -> None:
        self._room -= count
        if self._room < 0:
            raise ImageRefused("The SVG grows too large when its entities are expanded.")


def _split(name: str) -> tuple[str, str, str]:
    """Give namespace, local name and the name as it stands in the text."""
    pieces = name.split(_SEPARATOR)
    if len(pieces) == 1:
        return "", name, name
    if len(pieces) == 2:
        return pieces[0], pieces[1], f"xml:{pieces[1]}" if pieces[0] == _XML else pieces[1]
    return pieces[0], pieces[1], f"{pieces[2]}:{pieces[1]}"


def _is_dropped(space: str, local: str, attributes: dict[str, str]) -> bool:
    local = local.lower()
    if space in (_XHTML, _XML_EVENTS) or local in _DROPPED:
        return True
    if local not in _ANIMATING:
        return False
    return any(
        _split(name)[1].lower() == "attributename" and _NOT_ANIMATED.match(_animated(value))
        for name, value in attributes.items()
    )


def _animated(value: str) -> str:
    """Give the local name of an animated attribute: a document may call the namespace of links as it likes."""
    return IGNORED_IN_URLS.sub("", value).rpartition(":")[2]


def _attribute(element: str, space: str, name: str, value: str) -> str | None:
    """Give the value that may stay, None when the attribute may not."""
    if name.startswith("on") or space == _XML_EVENTS:
        return None
    if name in ("href", "src", "data", "action", "formaction"):
        return value if _is_safe_reference(element, name, value) else None
    if space == _XML and name == "base":
        # It would turn local references into outside ones.
        return None
    if name == "style" or "(" in value or "\\" in value:
        cleaned = clean_css(value)
        return cleaned if name == "style" or cleaned == value else None
    return value


def _is_safe_reference(element: str, name: str, value: str) -> bool:
    if name != "href":
        return False
    bare = IGNORED_IN_URLS.sub("", value)
    if element == "a":
        return _LINK.match(bare) is not None
    if element in ("image", "feimage"):
        return _PICTURE.match(bare) is not None
    return bare.startswith("#") or not bare
