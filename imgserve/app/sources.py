"""From settings to sources, by scheme."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import imgserve
from imgserve.adapters.sources.guard import AddressRules
from imgserve.adapters.sources.http import HttpLimits, HttpSource
from imgserve.adapters.sources.local import LocalSource
from imgserve.errors import ConfigError
from imgserve.plan.sources import AllowedSources, compile_patterns
from imgserve.ports import Source
from imgserve.service.uploads import UPLOADS
from imgserve.settings import Settings

T = TypeVar("T")


def http_source(settings: Settings, allowed: AllowedSources) -> HttpSource:
    """Make the source of http and https; `allowed` judges every redirect as well."""
    server = settings.server
    return HttpSource(
        HttpLimits(
            connect_timeout_s=min(server.connect_timeout, server.download_timeout),
            read_timeout_s=server.download_timeout,
            total_timeout_s=server.download_timeout,
            max_redirects=settings.limits.max_redirects,
            keep_alive_s=server.client_keep_alive_timeout,
        ),
        address_rules(settings),
        allowed=allowed.allows,
        user_agent=user_agent(settings),
        ignore_ssl_verification=settings.security.ignore_ssl_verification,
    )


def user_agent(settings: Settings) -> str:
    """Say who asks, to origins and to receivers of webhooks."""
    return settings.server.user_agent.replace("%current_version", imgserve.__version__)


def address_rules(settings: Settings) -> AddressRules:
    """Say which addresses this server speaks to, as it is told by others: those of sources and of webhooks."""
    security = settings.security
    return AddressRules(
        allow_loopback=security.allow_loopback_source_addresses,
        allow_link_local=security.allow_link_local_source_addresses,
        allow_private=security.allow_private_source_addresses,
    )


def allowed_sources(settings: Settings) -> AllowedSources:
    """Say which sources are fetched; uploads always, as holders of API keys send them and URLs are signed."""
    given = settings.security.allowed_sources
    return compile_patterns((*given, UPLOADS) if given else ())


def build_sources(settings: Settings, allowed: AllowedSources) -> dict[str, Source]:
    """Make every enabled source, by scheme; raises ConfigError with every mistake."""
    made: list[Source] = [http_source(settings, allowed)]
    problems: list[str] = []
    root = settings.sources.local_filesystem_root
    if root and Path(root).is_dir():
        made.append(LocalSource(Path(root), query_separator=settings.sources.source_url_query_separator))
    elif root:
        problems.append(f"IMGSERVE_LOCAL_FILESYSTEM_ROOT: there is no folder {root}")
    if settings.sources.use_s3:
        try:
            made.append(_s3_source(settings))
        except ValueError as wrong:
            problems.append(f"IMGSERVE_S3_ENDPOINT: {wrong}")
    if problems:
        raise ConfigError(problems)
    return {scheme: source for source in made for scheme in source.schemes}


def _s3_source(settings: Settings) -> Source:
    # Not at the top: boto3 costs every worker 0.1 s and 9 MB, and few servers read from S3.
    from imgserve.adapters.s3_client import S3Account, S3Limits
    from imgserve.adapters.sources.s3 import BucketRules, S3Source

    sources, server = settings.sources, settings.server
    return S3Source(
        S3Account(
            region=sources.s3_region or None,
            endpoint=sources.s3_endpoint or None,
            path_style=sources.s3_endpoint_use_path_style,
            assume_role_arn=sources.s3_assume_role_arn or None,
            assume_role_external_id=sources.s3_assume_role_external_id or None,
        ),
        limits=S3Limits(
            connect_timeout_s=min(server.connect_timeout, server.download_timeout),
            read_timeout_s=server.download_timeout,
            total_timeout_s=server.download_timeout,
        ),
        buckets=BucketRules(allowed=sources.s3_allowed_buckets, denied=sources.s3_denied_buckets),
        query_separator=sources.source_url_query_separator,
    )


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end from code that is not async, even where a loop runs (a factory called by uvicorn)."""
    out: list[T] = []
    wrong: list[BaseException] = []

    def run() -> None:
        try:
            out.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the thread that waits
            wrong.append(error)

    thread = threading.Thread(target=run, name="wait-for")
    thread.start()
    thread.join()
    if wrong:
        raise wrong[0]
    return out[0]
