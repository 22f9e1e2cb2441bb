"""nginx and a real server behind it, with pictures to ask for."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from imgserve.plan.signing import Signer, key_pairs
from tests.nginx.proxy import Answer, Nginx, running_nginx
from tests.running import KEY, SALT, free_port, running_server
from tests.web.pictures import jpeg

SIGNER = Signer(pairs=key_pairs([KEY], [SALT]))
AVIF, WEBP = "image/avif", "image/webp"
CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"

#: nginx' clock has whole seconds, and what is kept for one is asked for again within two.
UNTIL_S = 15

_fresh = count()


def signed(path: str) -> str:
    return f"/{SIGNER.sign(path)}{path}"


def fresh(source: str = "local:///a.jpg") -> str:
    """Give a signed path that no test has asked for; below 16 pixels a side AVIF is not what it becomes."""
    return signed(f"/w:{40 + next(_fresh)}/cb:{time.monotonic_ns()}/plain/{source}")


@dataclass(frozen=True)
class Stack:
    """nginx, and the server behind it."""

    nginx: Nginx
    port: int
    root: Path
    #: The server's.
    process: subprocess.Popen[str]

    def ask(self, target: str, accept: str | None = None, **more: str) -> Answer:
        headers = {} if accept is None else {"Accept": accept}
        return self.nginx.ask(target, {**headers, **more})


@contextlib.contextmanager
def running_stack(folder: Path, **more: str) -> Iterator[Stack]:
    root = folder / "root"
    root.mkdir(parents=True)
    for name in ("a.jpg", "two  spaces.jpg", "ä+ü.jpg"):
        (root / name).write_bytes(jpeg())
    (root / "broken.jpg").write_bytes(b"no picture")
    text = '<text x="1" y="9">a text that is repeated</text>' * 60
    (root / "a.svg").write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40">{text}</svg>')
    port = free_port()
    with (
        running_server(folder, {**settings_of(root), "IMGSERVE_BIND": f"127.0.0.1:{port}", **more}) as server,
        running_nginx(folder / "nginx", port) as nginx,
    ):
        yield Stack(nginx, port, root, server.process)


def settings_of(root: Path) -> dict[str, str]:
    return {
        "IMGSERVE_KEY": KEY,
        "IMGSERVE_SALT": SALT,
        "IMGSERVE_LOCAL_FILESYSTEM_ROOT": str(root),
        "IMGSERVE_AUTO_AVIF": "true",
        "IMGSERVE_AUTO_WEBP": "true",
        "IMGSERVE_DEVELOPMENT": "true",
        "IMGSERVE_WORKERS": "1",
        "IMGSERVE_PROXY_TTL": "60",
    }


def until(nginx: Nginx, url: str, status: str) -> Answer:
    """Ask until nginx says this of its answer."""
    ends_at = time.monotonic() + UNTIL_S
    while (answer := nginx.ask(url)).proxy != status:
        assert time.monotonic() < ends_at, f"still {answer.proxy}, {answer.status}"
        time.sleep(0.05)
    return answer
