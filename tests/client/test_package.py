"""What importing the client costs a program."""

from __future__ import annotations

import subprocess
import sys

import imgserve.client

HEAVY = ("starlette", "uvicorn", "boto3", "botocore", "huey", "redis", "numpy")


def test_the_servers_libraries_are_not_imported_with_it() -> None:
    program = f"import sys, imgserve.client; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_all_that_is_public_is_there() -> None:
    assert all(hasattr(imgserve.client, name) for name in imgserve.client.__all__)
