"""Reading the environment: IMGSERVE_ names, imgproxy's where those are unset, every mistake at once."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

from imgserve.errors import ConfigError
from imgserve.settings.groups import GROUPS, Cache, Settings, Url
from imgserve.settings.models import JobSettings
from imgserve.spec.kinds import BadArgument, Integer, Number
from imgserve.spec.params import Param

PREFIX: Final = "IMGSERVE_"
FALLBACK_PREFIX: Final = "IMGPROXY_"

#: Values of these are never shown.
SECRET: Final = frozenset(
    {
        "key", "salt", "secret", "s3_assume_role_external_id", "redis_url", "api_keys", "queue_redis_url",
        "background_api_key", "webhook_secret",
    }
)  # fmt: skip

_TIER_ORDER: Final = ("memory", "disk", "redis", "s3", "off")
_REDIS_SCHEMES: Final = ("redis://", "rediss://", "unix://")
_PENDING: Final = re.compile(r"fallback|error|wait:[1-9][0-9]{0,4}")
#: SHA-256.
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")

#: imgproxy's variables that mean nothing here, and why: they warn with a reason of their own.
DROPPED: Final = {
    "NETWORK": "IMGSERVE_BIND decides",
    "READ_REQUEST_TIMEOUT": "IMGSERVE_TIMEOUT bounds this too",
    "WRITE_RESPONSE_TIMEOUT": "IMGSERVE_TIMEOUT bounds this too",
    "READ_TIMEOUT": "IMGSERVE_TIMEOUT bounds this too",
    "WRITE_TIMEOUT": "IMGSERVE_TIMEOUT bounds this too",
    "CONCURRENCY": "IMGSERVE_WORKERS and IMGSERVE_RENDER_THREADS decide",
    "SO_REUSEPORT": "the processes of one server share a port always",
    "ENABLE_WEBP_DETECTION": "it is called IMGSERVE_AUTO_WEBP",
    "ENABLE_AVIF_DETECTION": "it is called IMGSERVE_AUTO_AVIF",
    "DEVELOPMENT_ERRORS_MODE": "errors always say what to change",
    "FREE_MEMORY_INTERVAL": "there is nothing to free by hand",
}

#: Names that mean something else in imgproxy, so that its variables are not read for them, and what they count here.
OTHER_MEANING: Final = {
    "WORKERS": "it counts pictures at a time; here IMGSERVE_WORKERS are processes, IMGSERVE_RENDER_THREADS renders",
    "REQUESTS_QUEUE_SIZE": "its 0 means no bound; here IMGSERVE_REQUESTS_QUEUE_SIZE=0 means no queue",
}


def rows() -> Iterator[tuple[str, str, Param]]:
    """Yield heading, variable and declaration of every setting, for docs and doctor."""
    for cls in GROUPS:
        for name, param in cast(Any, cls).params.items():
            yield str(cls.__doc__), PREFIX + name.upper(), param


def load(environ: Mapping[str, str] | None = None, *, key_needed: bool = True) -> Settings:
    """Read the settings; raises ConfigError with every mistake. What neither serves nor signs needs no key."""
    source = os.environ if environ is None else environ
    if not key_needed:
        source = {**source, f"{PREFIX}ALLOW_UNSIGNED": "true"}
    problems: list[str] = []
    made = {
        field.name: _read_group(cast(Callable[..., Any], field.default.__class__), source, problems)
        for field in dataclasses.fields(Settings)
        if field.name != "warnings"
    }
    settings = Settings(**made)
    settings = dataclasses.replace(settings, warnings=(*_unknown(source), *_risks(settings)))
    if not any("_KEY:" in problem or "_SALT:" in problem for problem in problems):
        problems += _across_keys(settings.url)
    problems += _across(settings)
    if problems:
        raise ConfigError(problems)
    return settings


def _read_group(cls: Any, environ: Mapping[str, str], problems: list[str]) -> Any:
    values: dict[str, Any] = {}
    for name, param in cls.params.items():
        prefixes = (PREFIX,) if name.upper() in OTHER_MEANING else (PREFIX, FALLBACK_PREFIX)
        variable = next((p + name.upper() for p in prefixes if environ.get(p + name.upper())), None)
        if variable is None:
            continue
        try:
            values[name] = param.kind.parse([environ[variable]])
        except BadArgument as wrong:
            got = "a value that is not shown" if name in SECRET else repr(wrong.got)
            # What a number counts: 64M and 1h are good values of other programs.
            counts = f" ({param.doc})" if isinstance(param.kind, Integer | Number) else ""
            problems.append(f"{variable}: expected {wrong.expected}, got {got}{counts}")
    if "format_quality" in values:
        # imgproxy merges this list into its defaults.
        values["format_quality"] = tuple({**dict(cls.format_quality), **dict(values["format_quality"])}.items())
    return cls(**values)


def _across(settings: Settings) -> Iterator[str]:
    """Check what no single variable can tell."""
    yield from _across_sources(settings)
    yield from _across_cache(settings.cache)
    yield from _across_jobs(settings.jobs)
    for name in ("watermark", "fallback"):
        part = getattr(settings, name)
        stem = "watermark" if name == "watermark" else "fallback_image"
        given = [kind for kind in ("data", "path", "url") if getattr(part, f"{stem}_{kind}")]
        if len(given) > 1:
            yield f"IMGSERVE_{stem.upper()}_DATA, _PATH and _URL: expected one of them, got {' and '.join(given)}"


def _across_sources(settings: Settings) -> Iterator[str]:
    for pattern in settings.security.allowed_sources:
        if "://" not in pattern:
            yield f"IMGSERVE_ALLOWED_SOURCES: expected beginnings of URLs like https://cdn.example/, got {pattern!r}"
    if not settings.negotiation.preferred_formats:
        yield "IMGSERVE_PREFERRED_FORMATS: expected at least one format, got none"


def _across_cache(cache: Cache) -> Iterator[str]:
    tiers = cache.cache
    if not tiers or len(set(tiers)) < len(tiers) or ("off" in tiers and len(tiers) > 1):
        yield f"IMGSERVE_CACHE: expected off, or each of memory, disk, redis, s3 at most once, got {','.join(tiers)!r}"
    elif list(tiers) != sorted(tiers, key=_TIER_ORDER.index):
        yield f"IMGSERVE_CACHE: expected faster tiers first ({', '.join(_TIER_ORDER)}), got {','.join(tiers)!r}"
    if "redis" in tiers and not cache.redis_url:
        yield "IMGSERVE_REDIS_URL: expected redis://host:port for the redis tier of IMGSERVE_CACHE, got nothing"
    if cache.redis_url and not cache.redis_url.startswith(_REDIS_SCHEMES):
        yield f"IMGSERVE_REDIS_URL: expected one of {', '.join(_REDIS_SCHEMES)}, got {_shown_url(cache.redis_url)}"
    if "s3" in tiers and not cache.cache_s3_bucket:
        yield "IMGSERVE_CACHE_S3_BUCKET: expected a bucket for the s3 tier of IMGSERVE_CACHE, got nothing"
    for pair in cache.api_keys:
        name, _, digest = pair.partition(":")
        if not name or not _DIGEST.fullmatch(digest):
            yield "IMGSERVE_API_KEYS: expected name:hash pairs of `imgserve keygen --api-key`, got another form"


def _across_jobs(jobs: JobSettings) -> Iterator[str]:
    if not _PENDING.fullmatch(jobs.pending):
        yield f"IMGSERVE_PENDING: expected fallback, error, or wait:<milliseconds below 100000>, got {jobs.pending!r}"
    url = jobs.queue_redis_url
    if url and not url.startswith(_REDIS_SCHEMES):
        yield f"IMGSERVE_QUEUE_REDIS_URL: expected one of {', '.join(_REDIS_SCHEMES)}, got {_shown_url(url)}"
    for pattern in jobs.allowed_webhooks:
        if not pattern.startswith(("https://", "http://")):
            yield f"IMGSERVE_ALLOWED_WEBHOOKS: expected beginnings of URLs like https://hooks.example/, got {pattern!r}"


def _shown_url(url: str) -> str:
    """Show scheme and host of a URL, and nothing that may be a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if not parts.netloc or "@" in url:
        return "a value that is not shown"
    return repr(f"{parts.scheme}://{parts.netloc}")


def _across_keys(url: Url) -> Iterator[str]:
    if len(url.key) != len(url.salt):
        yield (
            f"IMGSERVE_KEY and IMGSERVE_SALT: expected as many salts as keys, "
            f"got {len(url.key)} keys and {len(url.salt)} salts"
        )
    if not url.key and not url.allow_unsigned:
        yield (
            "IMGSERVE_KEY and IMGSERVE_SALT are not set: without them anybody could use this server. "
            "Set both (hex-encoded), or IMGSERVE_ALLOW_UNSIGNED=true for development"
        )


def _risks(settings: Settings) -> Iterator[str]:
    host = settings.server.bind.rpartition(":")[0].strip("[]")
    if not settings.url.key and host not in ("127.0.0.1", "localhost", "::1"):
        yield (
            f"IMGSERVE_ALLOW_UNSIGNED on {settings.server.bind}: whoever reaches this address uses the server; "
            "listen on 127.0.0.1, or set IMGSERVE_KEY and IMGSERVE_SALT"
        )
    cache = settings.cache
    if cache.redis_url and "redis" not in cache.cache:
        yield (
            f"IMGSERVE_REDIS_URL is not used for results: IMGSERVE_CACHE is {','.join(cache.cache)}, without redis, so "
            "none are kept there, and other machines do not hear of purges"
        )
    jobs = settings.jobs
    if "redis" in cache.cache and cache.redis_url and not jobs.queue_redis_url:
        yield (
            "IMGSERVE_QUEUE_REDIS_URL is not set, so AI jobs are kept in the Redis of IMGSERVE_REDIS_URL: it has to "
            "write down what it has (appendonly yes), or a restart of it loses them"
        )
    if jobs.queue_redis_url and not {"redis", "s3"} & set(cache.cache):
        yield (
            "IMGSERVE_QUEUE_REDIS_URL: what workers on other machines make is not found by this server; it needs "
            f"redis or s3 in IMGSERVE_CACHE, which is {','.join(cache.cache)}"
        )
    if cache.cache_path and not Path(cache.cache_path).is_absolute() and cache.cache != ("off",):
        yield (
            f"IMGSERVE_CACHE_PATH: {cache.cache_path!r} is relative, so a start in another folder has another cache; "
            f"give the whole path, such as {str(Path(cache.cache_path).absolute())!r}"
        )


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    known = [name for cls in GROUPS for name in (key.upper() for key in cast(Any, cls).params)]
    for variable in sorted(environ):
        prefix = next((p for p in (PREFIX, FALLBACK_PREFIX) if variable.startswith(p)), None)
        if prefix is None:
            continue
        name = variable.removeprefix(prefix)
        if prefix == FALLBACK_PREFIX and name in OTHER_MEANING:
            yield f"{variable} is not read: {OTHER_MEANING[name]}"
            continue
        if name in known:
            continue
        if name in DROPPED:
            yield f"{variable} has no effect: {DROPPED[name]}"
            continue
        if prefix == FALLBACK_PREFIX:
            yield f"{variable} is not a setting of this server: what imgproxy does with it is not done here"
            continue
        near = difflib.get_close_matches(name, known, 1)
        yield f"{variable} is not a setting of this server" + (f"; did you mean {PREFIX}{near[0]}?" if near else "")
