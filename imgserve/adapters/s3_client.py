"""The boto3 client of a storage account, and the credentials it signs with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Limits:
    """Bounds of one request and of the connection pool; times in seconds."""

    connect_timeout_s: float = 3.0
    read_timeout_s: float = 5.0
    #: Time spent waiting for the storage; the time a slow reader of the body takes does not count.
    total_timeout_s: float = 5.0
    #: Connections, and as many threads, since boto3 holds a thread for each.
    max_connections: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Account:
    """Where the storage is and who asks; None leaves it to boto3's own chain (variables, profile, instance role).

    Raises ValueError for an endpoint that is no URL of the web.
    """

    region: str | None = None
    #: With scheme, and path where there is one: https://x.supabase.co/storage/v1/s3.
    endpoint: str | None = None
    path_style: bool = True
    assume_role_arn: str | None = None
    assume_role_external_id: str | None = None

    def __post_init__(self) -> None:
        if self.endpoint and not self.endpoint.startswith(("http://", "https://")):
            raise ValueError("The S3 endpoint must start with http:// or https://.")

    @property
    def where(self) -> str:
        """Say for messages where the storage is, without what a URL may have of user, password and query."""
        if not self.endpoint:
            return f"AWS ({self.region})" if self.region else "AWS"
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class _RoleProvider(CredentialProvider):  # type: ignore[misc]  # botocore is untyped
    """Temporary credentials of a role, renewed by botocore before they end."""

    METHOD = "imgserve-assume-role"

    def __init__(self, account: S3Account) -> None:
        super().__init__()
        source = botocore.session.get_session()
        external = {"ExternalId": account.assume_role_external_id} if account.assume_role_external_id else {}
        self._fetcher = AssumeRoleCredentialFetcher(
            partial(source.create_client, region_name=account.region),
            source.get_credentials(),
            account.assume_role_arn,
            extra_args=external,
        )

    def load(self) -> Any:
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)


@cache
def _models() -> Any:
    """What botocore has on S3 in JSON files: to read them takes 80 ms, of the 90 that a client takes."""
    return botocore.loaders.create_loader()


def make_client(account: S3Account, limits: S3Limits) -> Any:
    core = botocore.session.get_session()
    core.register_component("data_loader", _models())
    if account.assume_role_arn:
        core.register_component("credential_provider", CredentialResolver([_RoleProvider(account)]))
    config = Config(
        connect_timeout=limits.connect_timeout_s,
        read_timeout=limits.read_timeout_s,
        max_pool_connections=limits.max_connections,
        retries={"total_max_attempts": 2, "mode": "standard"},
        s3={"addressing_style": "path" if account.path_style else "virtual"},
        # Storages other than AWS do not know boto3's new default checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    session = boto3.session.Session(botocore_session=core, region_name=account.region)
    return session.client("s3", endpoint_url=account.endpoint, config=config)
