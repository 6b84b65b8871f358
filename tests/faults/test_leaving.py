"""A run that is broken off leaves no process, mount or file behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from deploy.dev_stack.stack import ROOT
from tests.faults.isolation import may_isolate
from tests.support.waiting import eventually_sync

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MARK = "FAULTS_MARK"


def test_run_that_is_interrupted_proves_and_leaves_nothing(tmp_path: Path) -> None:
    with _begun(tmp_path) as (run, mark):
        os.killpg(run.pid, signal.SIGINT)
        assert run.wait(120) != 0
        assert not _marked(mark)
        assert not list(tmp_path.glob("faults-*"))
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


def test_run_that_is_killed_leaves_no_process_and_no_mount(tmp_path: Path) -> None:
    if not may_isolate():
        pytest.skip("needs root and namespaces, which end with the run")
    with _begun(tmp_path) as (run, mark):
        run.kill()
        run.wait(60)
        eventually_sync(lambda: not _marked(mark))
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


@contextmanager
def _begun(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """A run whose PostgreSQL has been started, and the mark that all its processes bear."""
    mark = uuid4().hex
    with (folder / "log").open("wb") as log:
        run = subprocess.Popen(
            [sys.executable, "-m", "tests.faults"],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(folder), "ONLY": "kill-sync-work", MARK: mark},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        eventually_sync(lambda: "postgres" in _marked(mark))
        yield run, mark
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)


def _marked(mark: str) -> set[str]:
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark:
                found.add(process.name())
    return found
