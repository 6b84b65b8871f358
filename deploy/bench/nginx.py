"""nginx as a plain proxy, the reference. Its bodies touch no disk, as those of the gateway."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.bench.processes import Server, server
from deploy.ports import free_port

CONFIGURATION = """
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_max_body_size 16m; large_client_header_buffers 8 32k;
    proxy_max_temp_file_size 0; client_body_buffer_size 16m;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    upstream behind {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        keepalive_requests 1000000;
        location / {{
            proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection "";
        }}
    }}
}}
"""


def find_nginx() -> str | None:
    """Return the path of nginx, also where Debian puts it outside the PATH of a user."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@contextmanager
def nginx(upstream: int, core: int) -> Iterator[Server]:
    port, found = free_port(), find_nginx()
    assert found
    with TemporaryDirectory() as folder:
        configuration = Path(folder) / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(folder=folder, port=port, upstream=upstream))
        Path(folder).chmod(0o777)  # its worker is another user
        command = [found, "-p", folder, "-c", str(configuration)]
        with server("nginx", command, port, "/healthz", core=core) as started:
            yield started
