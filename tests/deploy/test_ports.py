"""Whoever asks for a port gets one of its own, long before anything listens there."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.dev_stack.stack import ROOT
from deploy.ports import OFFERED, free_port

LENT = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_no_port_is_offered_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.ports.OFFERED", few := OFFERED[-5:])
    offered: list[int] = []
    with suppress(OSError):
        for _ in range(len(few) + 1):
            offered.append(free_port())  # noqa: PERF401 -- those before the error count
    assert offered
    assert len(offered) == len({*offered} & {*few})


def test_port_of_another_process_is_not_offered_while_that_one_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asks = "import deploy.ports as p, sys; print(p.free_port(), flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", asks], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        promised = int(other.stdout.readline())
        monkeypatch.setattr("deploy.ports.OFFERED", [promised])
        with pytest.raises(OSError, match="no port is free"):
            free_port()
    assert free_port() == promised


@pytest.mark.skipif(not LENT.exists(), reason="only Linux tells which ports it lends")
def test_no_port_is_offered_that_the_kernel_lends_to_connections() -> None:
    lowest = int(LENT.read_text().split()[0])
    assert OFFERED.stop <= lowest
