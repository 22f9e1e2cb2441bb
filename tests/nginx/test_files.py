"""The files themselves, as nginx reads them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.nginx.proxy import SHIPPED, command, render
from tests.running import free_port


def test_nginx_takes_the_shipped_files(tmp_path: Path) -> None:
    file = render(tmp_path, upstream_port=1, port=free_port(), bucket_port=free_port())
    checked = subprocess.run(command(tmp_path, file, "-t"), capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr


def test_debians_nginx_takes_them_in_conf_d(tmp_path: Path) -> None:
    """Debian's own nginx.conf sets what may be set once: a directive too many at the http level stops nginx."""
    render(tmp_path, upstream_port=1, port=free_port(), bucket_port=free_port())
    shutil.copy(SHIPPED / "upstream.conf", tmp_path)
    main = tmp_path / "debian.conf"
    main.write_text(
        f"{'user root;' if Path('/proc/self').stat().st_uid == 0 else ''} pid {tmp_path}/pid; events {{}}\n"
        f"http {{ sendfile on; tcp_nopush on; types_hash_max_size 2048; default_type application/octet-stream;\n"
        f"access_log off; gzip on; ssl_prefer_server_ciphers on; client_body_temp_path {tmp_path}/b;\n"
        f"proxy_temp_path {tmp_path}/p; fastcgi_temp_path {tmp_path}/f; uwsgi_temp_path {tmp_path}/u;\n"
        f"scgi_temp_path {tmp_path}/s; include {tmp_path}/imgserve.conf; include {tmp_path}/upstream.conf; }}\n"
    )
    checked = subprocess.run(command(tmp_path, main, "-t"), capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
