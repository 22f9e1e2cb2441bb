"""A real S3 server on loopback: moto's, as the only one that comes from PyPI alone."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from tests.running import free_port

#: A bucket that is always there, for stores, which have prefixes of their own.
RESULTS = "results"
#: What boto3's own credential chain finds; moto accepts any.
AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test-key",
    "AWS_SECRET_ACCESS_KEY": "test-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@contextlib.contextmanager
def running_s3() -> Iterator[str]:
    """Start a server, and give its URL when it listens."""
    port = free_port()
    # -P: a package beside the program is called queue, as one of Python's own.
    command = [sys.executable, "-P", str(Path(__file__).with_name("s3_program.py")), str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | AWS_ENVIRONMENT
    ) as process:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, "moto has ended"
                assert time.monotonic() < deadline, "moto does not listen"
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


class SharedS3:
    """The server of this test process: started by the first who asks, ended by a fixture of the session."""

    def __init__(self) -> None:
        self._started = contextlib.ExitStack()
        self._url = ""

    def url(self) -> str:
        if not self._url:
            self._url = self._started.enter_context(running_s3())
            with made_bucket(self._url, RESULTS):
                pass  # it stays
        return self._url

    def stop(self) -> None:
        self._started.close()


SHARED = SharedS3()


@contextlib.contextmanager
def made_bucket(endpoint: str, name: str) -> Iterator[Any]:
    """Make a bucket, if need be, of boto3's resource interface; few, since clients of boto3 take long to make."""
    session = boto3.session.Session(
        aws_access_key_id=AWS_ENVIRONMENT["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=AWS_ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
        region_name=AWS_ENVIRONMENT["AWS_DEFAULT_REGION"],
    )
    bucket = session.resource("s3", endpoint_url=endpoint).Bucket(name)
    bucket.create()
    yield bucket
    bucket.meta.client.close()
