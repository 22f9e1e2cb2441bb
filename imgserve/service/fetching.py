"""Sources by their schemes: whether one may be fetched, and its bytes, within the limits of a plan."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from imgserve.engine.intent import Intent
from imgserve.errors import BadRequest, SourceTimeout
from imgserve.plan.model import Plan
from imgserve.plan.sources import AllowedSources, scheme_of
from imgserve.ports import Announce, Blob, Source, SourceStream, unannounced
from imgserve.service.heads import HeadBytes
from imgserve.service.source_cache import SourceCache


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """What the renderer knows of sources."""

    #: By scheme, lower case.
    sources: Mapping[str, Source]
    allowed: AllowedSources
    downloads: SourceCache

    def admit(self, plan: Plan) -> None:
        """Check before any work that the plan's source may be fetched; raises BadRequest or SourceForbidden."""
        self.source_of(plan)
        self.allowed.check(plan.source)

    def source_of(self, plan: Plan) -> Source:
        """Find the source by scheme; raises BadRequest."""
        scheme = scheme_of(plan.source)
        source = self.sources.get(scheme)
        if source is None:
            enabled = ", ".join(f"{name}://" for name in sorted(self.sources))
            raise BadRequest(
                f"Sources with {scheme[:40]}:// are not enabled on this server; enabled are {enabled}.",
                where="source",
                got=scheme[:40],
                expected=enabled,
            )
        return source

    async def fetch(
        self,
        plan: Plan,
        intent: Intent,
        *,
        headers: Mapping[str, str],
        announce: Announce = unannounced,
    ) -> Blob:
        """Give the source within the plan's limits; no render slot is held meanwhile."""
        source = self.source_of(plan)
        return await self.downloads.fetch(
            source, plan.source, max_bytes=intent.limits.max_src_bytes, headers=headers, announce=announce
        )

    async def head(
        self,
        plan: Plan,
        intent: Intent,
        *,
        headers: Mapping[str, str],
        sized: bool,
        ends_at: float,
        announce: Announce = unannounced,
    ) -> HeadBytes:
        """Give as much of the source as its head takes, within the plan's limits and until `ends_at` (monotonic)."""
        source = self.source_of(plan)
        try:
            # Several requests to the origin have, each, the time that one download has.
            async with asyncio.timeout(max(0.0, ends_at - time.monotonic())):
                return await self.downloads.head(
                    source,
                    plan.source,
                    max_bytes=intent.limits.max_src_bytes,
                    headers=headers,
                    sized=sized,
                    announce=announce,
                )
        except TimeoutError as exc:
            raise SourceTimeout("The source did not come in time.", where="source") from exc

    def open_raw(self, plan: Plan, *, headers: Mapping[str, str]) -> AbstractAsyncContextManager[SourceStream]:
        """Open the source to pass its bytes on as they are; its size is not bounded, as in imgproxy."""
        return self.source_of(plan).open(plan.source, max_bytes=0, headers=headers)
