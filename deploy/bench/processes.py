"""Processes that the bench starts beside the stack, and their CPU time."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from deploy.bench.cpu import list_processes, read_cpu_seconds
from deploy.bench.mesh import PYTHON, service_environment
from deploy.dev_stack.stack import ROOT
from deploy.ports import free_port
from deploy.process import Child

START_S = 60.0
TRUSTING = ("-m", "deploy.bench.trusting")


@contextmanager
def service(
    name: str,
    task: str = "serve",
    *,
    core: int | None = None,
    program: Sequence[str] = ("-m",),
    **changed: str,
) -> Iterator["Server"]:
    """Start a further process of a service on a port of its own; `changed` are its settings."""
    port = free_port()
    own = {"PORT": str(port)} if task == "serve" else {"WORKER_PORT": str(port)}
    environment = {**service_environment(name), **own, **changed}
    command = [PYTHON, *program, name, task]
    with server(f"{name}-{task}", command, port, "/readyz", core=core, env=environment) as started:
        yield started


@contextmanager
def server(
    name: str,
    command: Sequence[str],
    port: int,
    path: str,
    *,
    core: int | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator["Server"]:
    """Start a process, wait for an answer on `path`, bind its threads to the core, and end it."""
    with TemporaryDirectory() as folder:
        child = Child(name, command, log=Path(folder) / "log", cwd=ROOT, env=env)
        try:
            child.start()
            child.wait_until(lambda: _answers(port, path), START_S)
            assert child.process_id
            started = Server(port, child.process_id.pid)
            if core is not None:
                started.bind(core)
            yield started
        finally:
            child.stop()


class Server:
    def __init__(self, port: int, pid: int) -> None:
        self.port, self.pid = port, pid

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bind(self, core: int) -> None:
        for process in list_processes(self.pid):
            for thread in process.threads():
                os.sched_setaffinity(thread.id, {core})

    def cpu_seconds(self) -> float:
        return read_cpu_seconds(self.pid)


def _answers(port: int, path: str) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        time.sleep(0.05)
        return False


@contextmanager
def bound_to(core: int) -> Iterator[None]:
    """Bind this process, which sends the load, to a core apart from the measured processes."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
