"""CPU time and memory of a process and its children, as Linux counts them."""

import time
from contextlib import suppress
from pathlib import Path

import psutil

KIBIBYTES = 1024
# How Linux makes the number of a clock out of a process: see <linux/posix-timers.h>.
CLOCK_SHIFT, CPU_CLOCK = 3, 2


def list_processes(pid: int) -> list[psutil.Process]:
    """Return the process and all its descendants."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def read_cpu_seconds(pid: int) -> float:
    """Return the time of the process and its descendants, also of those that have ended."""
    seconds = 0.0
    for process in reversed(list_processes(pid)):  # one that ends meanwhile is in its parent's time
        with suppress(OSError, psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += _read_clock(process.pid) + times.children_user + times.children_system
    return seconds


def read_machine_seconds() -> float:
    """Return the time that all processes of the machine have taken, and other machines from it."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.softirq + times.irq + times.steal)


def _read_clock(pid: int) -> float:
    """Return the time of all threads from the process's CPU clock, as clock_getcpuclockid(3).

    /proc counts in hundredths of a second, too coarse for a few hundred operations.
    """
    return time.clock_gettime(~pid << CLOCK_SHIFT | CPU_CLOCK)


def reset_peak(pid: int) -> None:
    """Make `read_peak_mib` count from now on."""
    for process in list_processes(pid):
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def read_peak_mib(pid: int) -> float:
    """Return the largest peak among the processes: that of the one that does the work."""
    peaks = [_read_status_kib(process.pid, "VmHWM") for process in list_processes(pid)]
    return max(peaks) / KIBIBYTES


def _read_status_kib(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
