"""The whole mesh as `make run` starts it, in a folder and on ports of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import asyncpg
import psutil

from deploy.bench.cpu import list_processes
from deploy.dev_stack.record import Record, read_record
from deploy.dev_stack.stack import ROOT, own_ports, read_stack
from deploy.oauth import sign_in
from deploy.postgres import as_superuser
from deploy.process import Child
from deploy.services import SERVICES
from identity_service.sandbox.clients import read_secrets

STARTS_WITHIN = 180.0
ENDS_WITHIN = 60.0
PEOPLE = "500"


@dataclass
class Mesh:
    """`changed` is what its environment has beyond that of this process."""

    directory: Path
    changed: Mapping[str, str]

    @property
    def environment(self) -> Mapping[str, str]:
        return {**os.environ, **self.changed}

    @property
    def gateway(self) -> str:
        return f"http://127.0.0.1:{self.port('gateway')}"

    @property
    def servers(self) -> str:
        return read_stack(self.environment).servers

    @cached_property
    def secrets(self) -> Mapping[str, str]:
        """Of the sandbox clients, by their id."""
        return read_secrets(read_stack(self.environment).sandbox_file)

    def sign_in(self, client: str = "onestop-h26") -> dict[str, str]:
        """The headers of its calls."""
        signed_in = sign_in(self.gateway, client, self.secrets[client])
        return {**signed_in, "X-Purpose": "1.001193", "X-Officer": "clerk"}

    def port(self, short: str) -> int:
        return int(self.environment[f"{short.upper()}_PORT"])

    def port_of(self, process: str) -> int:
        """Of `dossier-serve`, `dossier-work` …"""
        short, task = process.rsplit("-", 1)
        return self.port(short if task == "serve" else f"{short}_worker")

    def worker(self, service: str) -> str:
        return f"http://127.0.0.1:{self.environment[service.upper() + '_WORKER_PORT']}"

    def record(self) -> Record:
        record = read_record(self.directory)
        assert record
        return record

    def pid(self, name: str) -> int:
        """Of a process of the stack: `dossier-work`, `postgres`, `broker` …"""
        return self.record().children[name].pid

    @property
    def axis_began(self) -> datetime | None:
        """When the embedded broker last lost its memory; Apache Kafka never does."""
        if "broker" not in self.record().children:
            return None
        return datetime.fromtimestamp(psutil.Process(self.pid("broker")).create_time(), UTC)

    def processes(self, name: str) -> list[psutil.Process]:
        """Return the process and all that it started."""
        return list_processes(self.pid(name))

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
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

    def run_as(self, service: str, *command: str) -> "subprocess.CompletedProcess[str]":
        return self.run("deploy.dev_stack", "as", service, sys.executable, "-m", *command)

    def is_ready(self) -> bool:
        return self.run("deploy.dev_stack", "status").returncode == 0

    def database(self, service: str) -> AbstractAsyncContextManager[asyncpg.Connection]:
        return as_superuser(read_stack(self.environment).admin_url, SERVICES[service].database)


@contextmanager
def running_mesh(
    directory: Path, module: str = "deploy.dev_stack", **changed: str
) -> Iterator[Mesh]:
    """`module` starts it; `changed` goes into its environment."""
    directory.mkdir(parents=True, exist_ok=True)
    own = {**own_ports(), "RUN_DIR": str(directory)}
    mesh = Mesh(directory, {**own, "PEOPLE": PEOPLE, **changed})
    child = Child(
        name="mesh",
        command=[sys.executable, "-m", module, "up"],
        log=directory / "up.log",
        cwd=ROOT,
        env=mesh.environment,
    )
    try:
        child.start()
        child.wait_until(lambda: "Liên Thông runs" in child.log.read_text(), STARTS_WITHIN)
        yield mesh
    finally:
        child.stop(ENDS_WITHIN)
