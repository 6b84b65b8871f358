"""CPU time of other processes, finer than /proc has it, and with that of ended children."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from deploy.bench.cpu import read_cpu_seconds, read_peak_mib

BURN = "import time\nwhile time.process_time() < 0.2: pass\n"
SPAWN = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])\n"
TICK_S = 0.011


@contextmanager
def running(code: str) -> Iterator[int]:
    """Run the code, then keep the process until the block ends."""
    waiting = code + "print('done', flush=True)\ninput()\n"
    with subprocess.Popen(
        [sys.executable, "-c", waiting], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"done\n"
        yield process.pid
        process.kill()


def test_cpu_time_agrees_with_that_of_the_system() -> None:
    with running(BURN) as pid:
        times = psutil.Process(pid).cpu_times()
        assert abs(read_cpu_seconds(pid) - times.user - times.system) <= 2 * TICK_S
        assert read_cpu_seconds(pid) >= 0.2


def test_cpu_time_of_ended_children_counts() -> None:
    with running(SPAWN) as pid:
        assert read_cpu_seconds(pid) >= 0.2


def test_peak_memory_is_that_of_the_largest_process() -> None:
    with running("x = bytearray(64 * 1024 * 1024)\n") as pid:
        assert 64 <= read_peak_mib(pid) < 128
