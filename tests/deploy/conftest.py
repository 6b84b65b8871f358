"""A local stack of its own folder and ports, with quick services, as a process to be signalled."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from deploy.dev_stack.record import Record, read_record
from deploy.dev_stack.stack import ROOT, own_ports

FAKE_STACK = Path(__file__).with_name("fake_stack.py")
ENDS_WITHIN = 60


@dataclass
class StackProcess:
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.directory.mkdir(exist_ok=True)
        own = {"RUN_DIR": str(self.directory), "PYTHONPATH": str(ROOT), **own_ports()}
        self.environment |= {**os.environ, **own}

    def run(self, action: str) -> subprocess.Popen[str]:
        output = (self.directory / f"{action}.txt").open("w")
        with output:
            process = subprocess.Popen(
                [sys.executable, str(FAKE_STACK), action],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.processes.append(process)
        return process

    def finish(self, action: str) -> tuple[int, str]:
        return self.run(action).wait(ENDS_WITHIN), self.said(action)

    def said(self, action: str) -> str:
        return (self.directory / f"{action}.txt").read_text()

    def is_up(self) -> bool:
        return "Liên Thông runs" in self.said("up")

    def record(self) -> Record:
        record = read_record(self.directory)
        assert record
        return record

    def calls(self) -> list[str]:
        """What was done once: lines of `<service> <task>`."""
        return (self.directory / "sandbox.json.calls").read_text().splitlines()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[StackProcess]:
    stack = StackProcess(tmp_path / "run")
    yield stack
    for process in stack.processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(ENDS_WITHIN)
    assert processes_of(stack.directory) == []


def processes_of(directory: Path) -> list[psutil.Process]:
    """Every process that was started for this folder, whoever its parent is now."""
    found = []
    for process in psutil.process_iter():
        try:
            known = process.environ().get("RUN_DIR"), *process.cmdline()
        except psutil.Error:
            continue
        if str(directory) in known or str(directory / "postgres") in known:
            found.append(process)
    return found
