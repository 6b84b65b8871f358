"""Processes that the bench starts beside the stack, and what they cost."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil

from deploy.bench.mesh import PYTHON, service_environment
from deploy.child import Child, cpu_seconds
from deploy.local.stack import ROOT
from deploy.ports import free_port

START_SECONDS = 60.0
TRUSTING = ("-m", "deploy.bench.trusting")


@contextmanager
def service(
    name: str,
    task: str = "serve",
    *,
    core: int | None = None,
    program: Sequence[str] = ("-m", "shared"),
    **changed: str,
) -> Iterator["Server"]:
    """A further process of a service, on a port of its own; `changed` are its settings."""
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
    """Until it answers on `path`, then bound to its core with all its threads, at last ended."""
    with TemporaryDirectory() as folder:
        child = Child(name, command, log=Path(folder) / "log", cwd=ROOT, env=env)
        try:
            child.start()
            child.wait_until(lambda: _answers(port, path), START_SECONDS)
            assert child.process_id
            started = Server(port, child.process_id.pid)
            if core is not None:
                started.bind(core)
            yield started
        finally:
            child.stop()


class Server:
    def __init__(self, port: int, pid: int) -> None:
        self.port, self._pid = port, pid

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def processes(self) -> list[psutil.Process]:
        """Itself and those that it started."""
        whole = psutil.Process(self._pid)
        return [whole, *whole.children(recursive=True)]

    def bind(self, core: int) -> None:
        for process in self.processes():
            for thread in process.threads():
                os.sched_setaffinity(thread.id, {core})

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.processes())

    def forget_peak(self) -> None:
        """From now on `peak_mib` is the most that it holds from now on."""
        for process in self.processes():
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")

    def peak_mib(self) -> float:
        """The largest of its processes: the one that passes the calls on."""
        peaks = [_status_kib(process.pid, "VmHWM") for process in self.processes()]
        return max(peaks) / 1024


def _status_kib(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _answers(port: int, path: str) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        time.sleep(0.05)
        return False


@contextmanager
def bound_to(core: int) -> Iterator[None]:
    """This process, which sends the load, on a core apart from what is measured."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
