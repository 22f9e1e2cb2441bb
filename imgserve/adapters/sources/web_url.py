"""URLs of the web: reading the one that was asked for, and those that redirects name."""

from __future__ import annotations

import re

import httpx

from imgserve.errors import BadRequest, SourceForbidden, SourceUnreachable

SCHEMES = ("http", "https")
#: RFC 9110 section 4.1 asks for 8000 octets at least; a presigned URL takes about 2000.
MAX_URL_CHARS = 8192

_HOST_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")


def parse_url(url: str) -> httpx.URL:
    """Read an http or https URL; raises BadRequest with a sentence for one that cannot be requested."""
    if len(url) > MAX_URL_CHARS:
        raise BadRequest(f"The source URL is longer than {MAX_URL_CHARS} characters.")
    scheme, colon, rest = url.partition(":")
    try:
        # httpx drops a default port only behind a lower-case scheme.
        parsed = httpx.URL(scheme.lower() + colon + rest)
    except (httpx.InvalidURL, UnicodeError) as exc:
        raise BadRequest("The source URL has characters or a port that a URL cannot have.") from exc
    if parsed.scheme not in SCHEMES or not rest.startswith("//"):
        raise BadRequest("The source URL must start with http:// or https://.")
    if not _is_host(parsed.raw_host.decode("ascii")):
        raise BadRequest("The source URL has no host, or one that cannot be a host name.")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise BadRequest("The source URL has a port outside 1 to 65535.")
    return parsed


def _is_host(host: str) -> bool:
    if ":" in host:  # an IPv6 address, httpx has checked it but for the zone, which names an interface of this machine
        return "%" not in host
    return len(host) <= 253 and _HOST_NAME.fullmatch(host) is not None


def redirected(target: httpx.URL, response: httpx.Response, host: str) -> httpx.URL:
    """Give the URL that a redirect names; raises SourceUnreachable for nonsense, SourceForbidden for leaving TLS."""
    location = response.headers["location"].encode("latin-1").decode("utf-8", "replace")
    try:
        onward = parse_url(str(target.join(location)))
    except (BadRequest, httpx.InvalidURL, UnicodeError) as exc:
        raise SourceUnreachable(f"The source host '{host}' redirects to something that is not an http(s) URL.") from exc
    if target.scheme == "https" and onward.scheme == "http":
        raise SourceForbidden(f"The source host '{host}' redirects from https to http.", where=host)
    return onward
