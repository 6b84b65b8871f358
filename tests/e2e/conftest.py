"""The whole mesh as `make run` starts it, in a folder and on ports of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from deploy.local.record import Record, read_record
from deploy.local.stack import ROOT, read_stack
from deploy.ports import free_port
from tests.e2e.collector import Collector, collecting
from tests.waiting import eventually_sync

STARTS_WITHIN = 120.0
ENDS_WITHIN = 60.0


@dataclass
class Mesh:
    directory: Path
    environment: Mapping[str, str]

    @property
    def gateway(self) -> str:
        return f"http://127.0.0.1:{self.environment['GATEWAY_PORT']}"

    def worker(self, service: str) -> str:
        return f"http://127.0.0.1:{self.environment[service.upper() + '_WORKER_PORT']}"

    def record(self) -> Record:
        record = read_record(self.directory)
        assert record
        return record

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command of the project beside the running stack, with its environment."""
        return subprocess.run(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=STARTS_WITHIN,
        )


async def sign_in(
    mesh: Mesh, http: httpx.AsyncClient, client: str = "onestop-h26"
) -> dict[str, str]:
    """The headers of a sandbox client's calls."""
    clients = json.loads((mesh.directory / "sandbox.json").read_text())["clients"]
    secret = next(c["client_secret"] for c in clients if c["client_id"] == client)
    form = {
        "grant_type": "client_credentials",
        "client_id": client,
        "client_secret": secret,
    }
    answer = (await http.post("/oauth/token", data=form)).raise_for_status()
    token = answer.json()["access_token"]
    return {"Authorization": f"Bearer {token}", "X-Purpose": "1.001193", "X-Officer": "clerk"}


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Mesh]:
    directory = tmp_path_factory.mktemp("mesh") / "run"
    directory.mkdir()
    ports = {name: str(free_port()) for name in read_stack({}).ports}
    environment = {
        **os.environ,
        **ports,
        "RUN_DIR": str(directory),
        "PEOPLE": "500",
        "TRACING_ENDPOINT": collector.endpoint,
    }
    mesh = Mesh(directory, environment)
    log = directory / "up.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.local", "up"],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        eventually_sync(lambda: _is_up(process, log), within=STARTS_WITHIN)
        yield mesh
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(ENDS_WITHIN)


def _is_up(process: "subprocess.Popen[bytes]", log: Path) -> bool:
    if process.poll() is not None:
        pytest.fail(f"the stack ended with {process.returncode}:\n{log.read_text()}")
    return "Liên Thông runs" in log.read_text()
