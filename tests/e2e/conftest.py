"""The whole mesh as `make run` starts it, in a folder and on ports of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local.record import Record, read_record
from deploy.local.stack import ROOT, read_stack
from deploy.ports import free_port
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


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    directory = tmp_path_factory.mktemp("mesh") / "run"
    directory.mkdir()
    ports = {name: str(free_port()) for name in read_stack({}).ports}
    environment = {**os.environ, **ports, "RUN_DIR": str(directory), "PEOPLE": "500"}
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
