"""The one tree of errors that a request can end with.

ImgserveError
├── RequestError                 the request itself is wrong
│   ├── BadRequest          400  bad_request         malformed URL
│   ├── BadOption           400  bad_option          an option or an argument is wrong (where, got, expected)
│   ├── Forbidden           403  forbidden           signature, secret or permission
│   │   ├── BadSignature    403  bad_signature
│   │   ├── OptionForbidden 403  option_forbidden
│   │   └── SourceForbidden 403  source_forbidden    not in the allowed sources, or a refused address
│   ├── NotFound            404  not_found           no such route
│   ├── MethodNotAllowed    405  method_not_allowed
│   ├── BodyTypeRefused     415  unsupported_media_type  a body of a type that is not read
│   ├── JobEnded            409  job_ended           a job that has ended cannot be cancelled
│   └── Expired             410  expired
├── SourceError                  the origin did not give the source
│   ├── SourceNotFound      404  source_not_found
│   ├── SourceTooLarge      413  source_too_large    (bytes)
│   ├── SourceUnreachable   502  source_unreachable
│   └── SourceTimeout       504  source_timeout
├── ImageError                   the bytes arrived, but are not an image that is served
│   ├── UnsupportedImage    415  unsupported_image   type not known, or no loader for it
│   └── ImageRefused        422  image_refused       broken, too many pixels, result cannot be made
├── ProviderError                an AI provider did not give its answer
│   ├── ProviderRefused     422  provider_refused    this picture, or this request; trying again is useless
│   ├── ModelFailed         422  model_failed        the job that makes an AI step has failed for good
│   └── ProviderUnavailable 503  provider_unavailable  its model file is missing, or its service is down
│       └── NoProvider      422  no_provider         this server has nothing that does it
└── LoadError                    the server cannot take the work now
    ├── Pending             409  pending             an AI step is not ready (job, retry_after_s)
    ├── QueueUnavailable    503  queue_unavailable   the queue of jobs cannot be reached
    ├── RateLimited         429  rate_limited        an API key asks too often
    ├── QueueFull           429  queue_full          retry_after_s
    ├── Unavailable         503  unavailable         draining or overloaded
    ├── PurgeIncomplete     503  purge_incomplete    a tier could not be reached
    ├── NotKept             503  not_kept            a result that is made ahead cannot be kept
    └── RenderTimeout       504  render_timeout

Every error carries a status, a stable snake_case code, and one public sentence that says what to change. A bug is not
in this tree: it stays a loud 500.
"""

from __future__ import annotations

from typing import ClassVar


class ImgserveError(Exception):
    """Base of all that a request can end with; never raised itself."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    #: Worth an error line in the log: our fault or the operator's, not the client's.
    ours: ClassVar[bool] = False
    #: The answer depends only on the source, so it may be cached for a short time.
    cacheable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        got: str | None = None,
        expected: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.got = got
        self.expected = expected
        self.retry_after_s = retry_after_s

    def facts(self) -> dict[str, str | int]:
        """Give the facts that are known, for logs and JSON bodies."""
        named = {
            "where": self.where,
            "got": self.got,
            "expected": self.expected,
            "retry_after_s": self.retry_after_s,
        }
        return {name: value for name, value in named.items() if value is not None}


class RequestError(ImgserveError):
    status = 400
    code = "bad_request"


class BadRequest(RequestError):
    status = 400
    code = "bad_request"


class BadOption(RequestError):
    """An option is unknown, or an argument is outside its bounds.

    `where` is the option as the URL spells it, `got` the text that was read, `expected` the sentence of its kind.
    """

    status = 400
    code = "bad_option"


class Forbidden(RequestError):
    status = 403
    code = "forbidden"


class BadSignature(Forbidden):
    code = "bad_signature"


class OptionForbidden(Forbidden):
    code = "option_forbidden"


class SourceForbidden(Forbidden):
    code = "source_forbidden"


class NotFound(RequestError):
    status = 404
    code = "not_found"


class MethodNotAllowed(RequestError):
    status = 405
    code = "method_not_allowed"


class BodyTypeRefused(RequestError):
    """The body is of a type that is not read here."""

    status = 415
    code = "unsupported_media_type"


class JobEnded(RequestError):
    """A job that has ended cannot be cancelled any more."""

    status = 409
    code = "job_ended"


class Expired(RequestError):
    status = 410
    code = "expired"


class SourceError(ImgserveError):
    status = 502
    code = "source_error"


class SourceNotFound(SourceError):
    """The origin says 404 or 410, or another 4xx that a retry does not mend."""

    status = 404
    code = "source_not_found"
    cacheable = True


class SourceDenied(SourceNotFound):
    """Another 4xx: the origin does not give the source, which does not mean that there is none."""


class SourceTooLarge(SourceError):
    status = 413
    code = "source_too_large"

    @classmethod
    def beyond(cls, max_bytes: int) -> SourceTooLarge:
        """Make the one sentence that every kind of source has for its byte limit."""
        return cls(f"The source is larger than {max_bytes} bytes.")


class SourceUnreachable(SourceError):
    """The origin answered 5xx, cannot be resolved or connected to, or broke off its answer."""

    status = 502
    code = "source_unreachable"


class SourceTimeout(SourceError):
    status = 504
    code = "source_timeout"


class ImageError(ImgserveError):
    status = 422
    code = "image_error"
    cacheable = True


class UnsupportedImage(ImageError):
    status = 415
    code = "unsupported_image"


class ImageRefused(ImageError):
    status = 422
    code = "image_refused"


class ProviderError(ImgserveError):
    status = 503
    code = "provider_error"


class ProviderRefused(ProviderError):
    """The provider does not want this picture, or cannot do what is asked of it."""

    status = 422
    code = "provider_refused"


class ModelFailed(ProviderError):
    """An AI step of this picture will not be made unless somebody begins its job anew."""

    status = 422
    code = "model_failed"


class ProviderUnavailable(ProviderError):
    status = 503
    code = "provider_unavailable"


class NoProvider(ProviderUnavailable):
    """Nothing here does what an AI step asks for, and nothing will until the operator sets it up."""

    status = 422
    code = "no_provider"


class LoadError(ImgserveError):
    status = 503
    code = "load_error"


class Pending(LoadError):
    """What a model has to make for this picture is not there yet; `job` makes it.

    With `failed`, the code of what went wrong, it will not come by itself. `vital`: the picture must not be shown
    without it.
    """

    status = 409
    code = "pending"

    def __init__(
        self, message: str, *, job: str = "", failed: str = "", vital: bool = False, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.job = job
        self.failed = failed
        self.vital = vital


class QueueUnavailable(LoadError):
    status = 503
    code = "queue_unavailable"


class RateLimited(LoadError):
    status = 429
    code = "rate_limited"


class QueueFull(LoadError):
    status = 429
    code = "queue_full"


class Unavailable(LoadError):
    status = 503
    code = "unavailable"


class NotKept(LoadError):
    """Warming made a result in vain, or would: what it is for is being kept."""

    status = 503
    code = "not_kept"


class PurgeIncomplete(LoadError):
    """Part of the caches still has what was purged; asking again is safe."""

    status = 503
    code = "purge_incomplete"


class RenderTimeout(LoadError):
    status = 504
    code = "render_timeout"


class ConfigError(Exception):
    """The settings or presets are wrong; carries every mistake found, one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
