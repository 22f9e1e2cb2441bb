"""Answers of an S3 storage, boto3's errors among them, in our words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from imgserve.adapters.sources.header_values import whole_number
from imgserve.errors import (
    BadRequest,
    ImgserveError,
    SourceDenied,
    SourceForbidden,
    SourceNotFound,
    SourceTimeout,
    SourceUnreachable,
)
from imgserve.ports import Origin


class BodilessAnswer(Exception):  # boto3 raises for what is an answer here: 304 and 416
    def __init__(self, origin: Origin) -> None:
        super().__init__()
        self.origin = origin


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Give boto3's errors their names in our tree."""
    try:
        yield
    except ClientError as exc:
        origin = origin_of(exc.response)
        if origin.status in (304, 416):  # both answer a header of the caller
            raise BodilessAnswer(origin) from exc
        raise _refused(origin.status, exc.response.get("Error", {}).get("Code", "")) from exc
    except (ConnectTimeoutError, ReadTimeoutError) as exc:
        raise SourceTimeout("The S3 storage did not answer in time.") from exc
    except ParamValidationError as exc:
        raise BadRequest("The S3 source has a bucket, key or version that S3 does not know as such.") from exc
    except NoCredentialsError as exc:
        raise SourceUnreachable("The server has no credentials for the S3 storage.") from exc
    except BotoCoreError as exc:
        raise SourceUnreachable("The S3 storage cannot be reached, or broke off its answer.") from exc


def _refused(status: int, code: str) -> ImgserveError:
    named = f"{status} ({code})" if code and code != str(status) else str(status)
    if status in (401, 403):
        return SourceForbidden(f"The S3 storage refused to give the source: {named}.", got=named)
    if status == 404:
        return SourceNotFound("The S3 source does not exist.", got=named)
    if 400 <= status < 500 and status not in (408, 429):
        return SourceDenied(f"The S3 storage answered {named}.", got=named)
    return SourceUnreachable(f"The S3 storage answered {named}.", got=named)


def origin_of(answer: Mapping[str, Any], *, decoded: bool = False) -> Origin:
    facts = answer["ResponseMetadata"]
    headers: dict[str, str] = {name.lower(): value for name, value in facts.get("HTTPHeaders", {}).items()}
    status = facts["HTTPStatusCode"]
    if decoded or status in (304, 416):  # they describe bytes that nobody gets
        headers.pop("content-encoding", None)
        headers.pop("content-length", None)
    return Origin(
        status=status,
        content_type=headers.get("content-type"),
        content_length=whole_number(headers.get("content-length")),
        etag=headers.get("etag"),
        last_modified=headers.get("last-modified"),
        cache_control=headers.get("cache-control"),
        expires=headers.get("expires"),
        headers=headers,
    )
