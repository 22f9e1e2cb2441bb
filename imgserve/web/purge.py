"""POST /v1/purge: what is kept of sources, tags, presets or everything is forgotten, everywhere."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from imgserve.errors import BadRequest, PurgeIncomplete
from imgserve.ops.delivery import CacheTags
from imgserve.plan.source_text import PLAIN, PLAIN_SAFE
from imgserve.plan.url import Grammar, parse
from imgserve.ports import EVERYTHING, Selector
from imgserve.service.entry import PRESET, SOURCE, TAG
from imgserve.service.purges import Purges
from imgserve.spec.kinds import BadArgument
from imgserve.web.api import MAX_NAMED, Call, check_fields, demand, texts_in
from imgserve.web.exchange import Exchange
from imgserve.web.responses import json_response

logger = logging.getLogger(__name__)

#: What labels begin with, by the field of the request.
_LABELS: Final = {"source": SOURCE, "prefix": SOURCE, "tag": TAG, "preset": PRESET}
_EVERYTHING: Final = '{"everything": true}'

#: What can begin a source: a scheme, and behind it at least a character, or it would be half of all that is kept.
_BEGINNING: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PurgeEndpoint:
    """Handler of POST /v1/purge: {"source" | "prefix" | "tag" | "preset": text or texts} or {"everything": true}.

    What can never have been kept is refused: it is a mistake, and its 200 would look like success.
    """

    purges: Purges
    grammar: Grammar

    async def __call__(self, exchange: Exchange, call: Call) -> None:
        selectors = self._selectors(call.value)
        # Results of a preset that is gone may still be there: it is purged, and said.
        unknown = [name for name in texts_in(call.value, "preset") if name not in self.grammar.presets]
        entries: dict[str, int] = {}
        failed: dict[str, None] = {}
        for selector in selectors:
            done = await self.purges.purge(selector)
            failed |= dict.fromkeys(done.failed)
            for tier, count in done.entries.items():
                entries[tier] = entries.get(tier, 0) + count
        # As Python writes texts: what a client sends must not make lines of its own.
        shown = ", ".join(repr(one.label[:200]) if one.label else "everything" for one in selectors[:5])
        logger.info("purged %s: %s", shown, entries)
        if failed:
            raise PurgeIncomplete(
                f"The purge did not reach {', '.join(failed)}; ask again.", where=", ".join(failed), retry_after_s=1
            )
        await exchange.send(json_response({"purged": entries} | ({"unknown": unknown} if unknown else {})))

    def _selectors(self, value: Mapping[str, Any]) -> list[Selector]:
        check_fields(value, (*_LABELS, "everything"))
        if "everything" in value:
            if value["everything"] is not True or len(value) > 1:
                raise BadRequest(f"To purge everything, send {_EVERYTHING} and nothing else.", where="everything")
            return [EVERYTHING]
        named = {field: texts_in(value, field) for field in _LABELS}
        count = sum(map(len, named.values()))
        if not 0 < count <= MAX_NAMED:
            expected = f"1 to {MAX_NAMED} in the fields {', '.join(_LABELS)}, or {_EVERYTHING}"
            raise BadRequest(
                f"The body names {count} things to purge; expected {expected}.", where="body", expected=expected
            )
        for at, tag in enumerate(named["tag"]):
            _check_tag(tag, f"tag[{at}]")
        for field in ("source", "prefix"):
            named[field] = [self._fetched(text, f"{field}[{at}]") for at, text in enumerate(named[field])]
        return [
            Selector(label + name, prefix=field == "prefix")
            for field, label in _LABELS.items()
            for name in named[field]
        ]

    def _fetched(self, text: str, where: str) -> str:
        """Give a source, or the beginning of sources, as the server fetches it.

        Without a scheme it is what stands in URLs, and IMGSERVE_URL_REPLACEMENTS and IMGSERVE_BASE_URL make the rest.
        """
        if "://" not in text:
            plain = Grammar(
                catalog=self.grammar.catalog,
                base_url=self.grammar.base_url,
                url_replacements=self.grammar.url_replacements,
            )
            text = parse(f"{PLAIN}/{quote(text, safe=PLAIN_SAFE)}", plain).source
        demand(
            _BEGINNING.match(text),
            where,
            text,
            "a source as it is fetched, with a scheme and at least one character behind ://"
            " (https://example.com/a.jpg, s3://bucket/, local:///a.jpg)",
        )
        return text


def _check_tag(tag: str, where: str) -> None:
    """Raise BadRequest for a tag that no URL can have."""
    try:
        CacheTags(tags=(tag,))
    except BadArgument as wrong:
        demand(None, where, tag, wrong.expected)
