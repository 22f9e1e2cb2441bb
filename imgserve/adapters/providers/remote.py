"""Asking a service over HTTP: time and size limits, retries, and a breaker that leaves a broken service alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from imgserve.errors import ProviderError, ProviderRefused, ProviderUnavailable

_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
#: Statuses that only the operator can mend: not allowed, not paid for, wrong address or method.
_OPERATORS: Final = {
    401: "does not take the API key; check IMGSERVE_BACKGROUND_API_KEY",
    402: "has no credits left for this key",
    403: "does not take the API key; check IMGSERVE_BACKGROUND_API_KEY",
    404: "does not know this address; check IMGSERVE_BACKGROUND_URL",
    405: "does not know this address; check IMGSERVE_BACKGROUND_URL",
}
#: Tries of one call.
_TRIES: Final = 3
#: A pause that a service asks for is never longer for us; it may be a mistake.
_LONGEST_PAUSE_S: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one call may take."""

    #: All tries and the pauses between them.
    timeout_s: float = 60.0
    #: An alpha plane of 50 megapixels as PNG is well below that.
    max_bytes: int = 64 * 1024 * 1024
    #: Before the first retry; doubled before each further one.
    pause_s: float = 0.5
    #: Calls that fail in a row before the service is left alone, and for how long.
    failures: int = 5
    open_s: float = 30.0


class Breaker:
    """Count calls that failed in a row; after too many refuse others for a while, then let one try."""

    def __init__(self, failures: int, *, open_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = failures
        self._open_s = open_s
        self._clock = clock
        self._failed = 0
        self._until = 0.0

    def wait_s(self) -> float:
        """Say how long no call is to be made; 0 = now."""
        return max(0.0, self._until - self._clock())

    def failed(self) -> None:
        self._failed += 1
        if self._failed >= self._most:
            self._until = self._clock() + self._open_s

    def worked(self) -> None:
        self._failed = 0


class _TryAgain(Exception):
    """A try failed in a way that may pass."""

    def __init__(self, what: str, *, after_s: float | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.after_s = after_s


class Remote:
    """One service: `name` for sentences, `url` its address, `headers` with its key, which no sentence or log tells."""

    def __init__(
        self,
        name: str,
        *,
        url: str,
        headers: Mapping[str, str],
        limits: Limits,
        explain: Callable[[bytes], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._url = url
        self._headers = dict(headers)
        self._limits = limits
        self._explain = explain
        self._clock = clock
        self._breaker = Breaker(limits.failures, open_s=limits.open_s, clock=clock)
        self._client: httpx.Client | None = None

    def post(
        self, path: str, *, fields: Mapping[str, str], files: Mapping[str, Any], query: Mapping[str, str]
    ) -> bytes:
        """Give the body of a good answer.

        Raises ProviderRefused where the service does not want this picture, ProviderUnavailable for all else.
        """
        wait_s = self._breaker.wait_s()
        if wait_s:
            raise ProviderUnavailable(
                f"{self._name} has failed {self._limits.failures} times in a row and is left alone for a while.",
                retry_after_s=_whole(wait_s),
            )
        try:
            body = self._tried(path, data=dict(fields), files=dict(files), params=dict(query))
        except ProviderRefused:
            self._breaker.worked()
            raise
        except ProviderError:
            self._breaker.failed()
            raise
        self._breaker.worked()
        return body

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _tried(self, path: str, **request: Any) -> bytes:
        ends = self._clock() + self._limits.timeout_s
        pause_s = self._limits.pause_s
        for left in reversed(range(_TRIES)):
            try:
                return self._once(path, ends=ends, **request)
            except _TryAgain as again:
                wait_s = pause_s if again.after_s is None else again.after_s
                if not left or self._clock() + wait_s >= ends:
                    raise ProviderUnavailable(f"{self._name} {again.what}.", retry_after_s=_whole(wait_s)) from again
                time.sleep(wait_s)
                pause_s *= 2
        raise AssertionError("the last try returns or raises")

    def _once(self, path: str, *, ends: float, **request: Any) -> bytes:
        left_s = max(ends - self._clock(), 0.001)
        try:
            with self._opened().stream("POST", self._url + path, timeout=left_s, **request) as answer:
                body = self._read(answer, ends)
        except httpx.TimeoutException as exc:
            raise self._too_slow() from exc
        except httpx.TransportError as exc:
            raise _TryAgain(f"cannot be reached or broke off ({type(exc).__name__})") from exc
        except (httpx.InvalidURL, httpx.DecodingError, httpx.TooManyRedirects) as exc:
            raise ProviderUnavailable(f"{self._name} cannot be asked: {type(exc).__name__}.") from exc
        self._judge(answer, body)
        return body

    def _read(self, answer: httpx.Response, ends: float) -> bytes:
        """Take the body, within size and time: httpx' time limit is for each packet alone."""
        body = bytearray()
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > self._limits.max_bytes:
                raise ProviderUnavailable(f"{self._name} answered with more than {self._limits.max_bytes} bytes.")
            if self._clock() > ends:
                raise self._too_slow()
        return bytes(body)

    def _judge(self, answer: httpx.Response, body: bytes) -> None:
        status = answer.status_code
        if answer.is_success:
            return
        if status == _TOO_MANY:
            raise _TryAgain("is asked too often", after_s=_retry_after(answer.headers.get("retry-after", "")))
        if status >= _SERVER_ERROR:
            raise _TryAgain(f"answered {status}")
        if status in _OPERATORS:
            raise ProviderUnavailable(f"{self._name} {_OPERATORS[status]} (it answered {status}).")
        if answer.is_client_error:
            raise ProviderRefused(f"{self._name} refuses this picture: {self._explain(body) or status}.")
        raise ProviderUnavailable(f"{self._name} answered {status}; check IMGSERVE_BACKGROUND_URL.")

    def _too_slow(self) -> ProviderUnavailable:
        return ProviderUnavailable(f"{self._name} did not answer within {self._limits.timeout_s:g} seconds.")

    def _opened(self) -> httpx.Client:
        if self._client is None:
            self._client = httpx.Client(headers=self._headers)
        return self._client


def _retry_after(text: str) -> float | None:
    """Read Retry-After, seconds or a date; None where it says nothing."""
    if text.strip().isdecimal():
        return min(float(text), _LONGEST_PAUSE_S)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return min(max(0.0, date.timestamp() - time.time()), _LONGEST_PAUSE_S)


def _whole(seconds: float) -> int:
    return max(1, round(seconds))


def host_of(url: str) -> str:
    """Give the host that pictures are sent to, "" where the address has none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return (parts.hostname or "") if parts.scheme in ("http", "https") else ""
