"""What was measured in the pixels of sources, kept in the stores of results.

An entry is of one version of a source, which its key names: it needs no freshness, and a source that has changed has
another entry. A purge by source finds it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from imgserve.ports import Origin, Stored
from imgserve.service.entry import SOURCE
from imgserve.service.freshness import is_kept
from imgserve.service.purges import Mark
from imgserve.service.tiers import Tiers
from imgserve.spec.op import Op

#: A change of how something is measured makes what older versions kept unreadable.
_FORM: Final = "measured 1"

#: A week: what nobody has asked for since is measured again.
_KEPT_S: Final = 604_800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Finds and keeps facts, by the fields that were asked for together."""

    tiers: Tiers
    epoch: str
    #: Unix time.
    clock: Callable[[], float]

    def key(self, source: str, validator: str, fields: Sequence[Op]) -> str:
        """Name the facts of one version of a source, as 64 hex digits."""
        text = "\n".join((_FORM, self.epoch, *(one.text() for one in fields), validator, source))
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

    async def find(self, key: str, *, since: Mark) -> dict[str, Any] | None:
        stored = self.tiers.get_now(key)
        if stored is None and (found := await self.tiers.get(key, since=since)) is not None:
            stored, _ = found
        return _facts(stored) if stored is not None else None

    async def keep(self, key: str, facts: Mapping[str, Any], *, source: str, origin: Origin, since: Mark) -> None:
        """Keep facts where the origin allows it, unless the source was purged `since`; in stores after the answer."""
        tiers = self.tiers
        if not tiers.any or not is_kept(origin):
            return
        body = json.dumps(facts, separators=(",", ":")).encode()
        stored = Stored(meta=_META, body=body, labels=(SOURCE + source,), expires_at=self.clock() + _KEPT_S)
        if await tiers.put_memory(key, stored, since=since):
            tiers.background.start(lambda: tiers.put_stores(key, stored, since=since))


_META: Final = json.dumps({"form": _FORM}).encode()


def _facts(stored: Stored) -> dict[str, Any] | None:
    """Read what `keep` wrote; None for anything else."""
    try:
        facts = json.loads(stored.body) if stored.meta == _META else None
    except ValueError:
        return None
    return facts if isinstance(facts, dict) else None
