"""Real servers, one of each for a test process: Redis, empty and running at the start of each test, and S3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from imgserve.adapters.s3_client import S3Account
from tests.adapters.redis_server import RedisServer, running_redis
from tests.adapters.s3_server import AWS_ENVIRONMENT, RESULTS, SHARED, made_bucket


@pytest.fixture(scope="session")
def session_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_server(session_redis: RedisServer) -> RedisServer:
    session_redis.empty()
    return session_redis


@pytest.fixture(scope="session", autouse=True)
def shared_s3_is_ended() -> Iterator[None]:
    yield
    SHARED.stop()


@pytest.fixture(scope="session")
def s3_endpoint() -> str:
    return SHARED.url()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials where boto3 looks for them."""
    for name, value in AWS_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def s3_account(s3_endpoint: str) -> S3Account:
    return S3Account(region="us-east-1", endpoint=s3_endpoint)


@pytest.fixture(scope="session")
def results_bucket(s3_endpoint: str) -> Iterator[Any]:
    """The bucket of stores, as others see it."""
    with made_bucket(s3_endpoint, RESULTS) as bucket:
        yield bucket
