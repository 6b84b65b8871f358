"""Gateway against plain nginx: the same upstream, the same core, one after the other, in turns."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from deploy.bench.figures import Figure
from deploy.bench.load import Outcome, repeated, request, saturate
from deploy.bench.mesh import Mesh, service_process
from deploy.ports import free_port

PATH = "/dossier/v1/procedures/1.001193"
CONNECTIONS = 32
SECONDS, ROUNDS = 5.0, 3
START_SECONDS = 30.0
PROXY_CORE, OTHER_CORE = 0, (os.cpu_count() or 1) - 1

NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    upstream behind {{ server 127.0.0.1:{upstream}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port};
        keepalive_requests 1000000;
        location / {{
            proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection "";
        }}
    }}
}}
"""


async def measure(mesh: Mesh) -> list[Figure]:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not nginx:
        print("nginx is not installed: the comparison with it is left out")
        return []
    outcomes: dict[str, list[Outcome]] = {"nginx": [], "gateway": []}
    with ExitStack() as stack:
        upstream = stack.enter_context(_upstream())
        ports = {
            "nginx": stack.enter_context(_nginx(nginx, upstream)),
            "gateway": stack.enter_context(_gateway(upstream)),
        }
        os.sched_setaffinity(0, {OTHER_CORE})
        headers = mesh.headers("onestop-h26")
        for _ in range(ROUNDS):
            for name, port in ports.items():
                sent = request("GET", f"http://127.0.0.1:{port}{PATH}", headers)
                outcomes[name].append(
                    await saturate(
                        "127.0.0.1", port, repeated(sent), connections=CONNECTIONS, seconds=SECONDS
                    )
                )
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    return _figures(outcomes)


def _figures(outcomes: dict[str, list[Outcome]]) -> list[Figure]:
    figures = []
    for name, runs in outcomes.items():
        assert not any(run.failures() for run in runs), [run.statuses for run in runs]
        figures += [
            Figure(f"{name}: requests at 32 connections", "1/s", [r.per_second for r in runs]),
            Figure(f"{name}: p50", "ms", [r.quantile(0.5) for r in runs]),
            Figure(f"{name}: p95", "ms", [r.quantile(0.95) for r in runs]),
        ]
    pairs = list(zip(outcomes["gateway"], outcomes["nginx"], strict=True))
    ratios = [ours.per_second / theirs.per_second for ours, theirs in pairs]
    added = [ours.quantile(0.5) - theirs.quantile(0.5) for ours, theirs in pairs]
    return [
        *figures,
        Figure("gateway / nginx, same FastAPI upstream, same core", "ratio", ratios, ">= 0.8"),
        Figure("added p50 at saturation", "ms", added),
    ]


@contextmanager
def _upstream() -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "deploy.bench.upstream:create_app", "--factory"]
    command += ["--port", str(port), "--log-level", "critical", "--no-access-log"]
    with _running(subprocess.Popen(command), port, OTHER_CORE, "/healthz"):
        yield port


@contextmanager
def _nginx(binary: str, upstream: int) -> Iterator[int]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "nginx.conf"
        configuration.write_text(NGINX.format(folder=folder, port=port, upstream=upstream))
        Path(folder).chmod(0o777)  # its worker is another user
        process = subprocess.Popen([binary, "-p", folder, "-c", str(configuration)])
        with _running(process, port, PROXY_CORE, "/healthz"):
            yield port


@contextmanager
def _gateway(upstream: int) -> Iterator[int]:
    port = free_port()
    process = service_process(
        "gateway", "serve", PORT=str(port), DOSSIER_URL=f"http://127.0.0.1:{upstream}"
    )
    with _running(process, port, PROXY_CORE, "/readyz"):
        yield port


@contextmanager
def _running(process: "subprocess.Popen[bytes]", port: int, core: int, path: str) -> Iterator[None]:
    """Until it answers, then bound to its core with its children, at last ended."""
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port, path):
            assert process.poll() is None, f"{process.args!r} ended"
            assert time.monotonic() < deadline, f"{process.args!r} does not answer"
            time.sleep(0.05)
        _bind(process.pid, core)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _bind(pid: int, core: int) -> None:
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})
        children = (task / "children").read_text().split()
        for child in children:
            _bind(int(child), core)


def _answers(port: int, path: str) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=2).is_success
    except httpx.HTTPError:
        return False
