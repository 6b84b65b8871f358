"""More than it can take, and the same for a long time."""

import asyncio
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import psutil

from tests.faults.fault import Seen, Site

SPIKE, SPIKE_S = 5, 10.0
ANSWERED = {200, 201, 403, 409, 412}
SHED = {429, 503}
SAMPLE_S = 2.0
# Beyond this a process would take a GiB more within days.
MAX_MIB_PER_HOUR = 60.0
WARM_UP_SHARE = 0.3
# What is shorter shows caches that fill, and no trend.
JUDGED_S = 1_200.0
# The embedded broker keeps every message: it has to grow.
FORGETFUL = {"broker"}


async def spike(site: Site) -> None:
    usual = site.load.per_second
    site.load.per_second = usual * SPIKE
    try:
        await asyncio.sleep(SPIKE_S)
    finally:
        site.load.per_second = usual


def only_answered_or_shed(seen: Seen) -> Iterable[str]:
    strange = {
        attempt.status for attempt in seen.journal.attempts if attempt.status not in ANSWERED | SHED
    }
    return [f"a crowd was answered with {sorted(strange)}"] if strange else []


async def soak(site: Site) -> None:
    """The usual load for SOAK seconds; each process's memory, and how it grows."""
    seconds = float(os.environ["SOAK"])
    sizes: Mapping[str, list[tuple[float, float]]] = defaultdict(list)
    began = time.monotonic()
    while (at := time.monotonic() - began) < seconds:
        for name in site.mesh.record().children:
            with suppress(psutil.NoSuchProcess):  # one of a database's, between two looks
                if name not in FORGETFUL:
                    sizes[name].append((at / 3600, _mib(site.mesh.processes(name))))
        await asyncio.sleep(SAMPLE_S)
    growing = {name: _slope(each) for name, each in sizes.items()}
    told = (f"{name} {sizes[name][-1][1]:.0f} MiB {slope:+.0f}" for name, slope in growing.items())
    site.notes.append("memory, growth in MiB an hour: " + ", ".join(told))
    if seconds >= JUDGED_S:
        fat = {name: round(slope) for name, slope in growing.items() if slope > MAX_MIB_PER_HOUR}
        assert not fat, f"memory grows, in MiB an hour: {fat}"


def _mib(processes: Iterable[psutil.Process]) -> float:
    """What they alone hold: PostgreSQL's share of its common memory would count many times."""
    return sum(process.memory_full_info().uss for process in processes) / 2**20


def _slope(points: Sequence[tuple[float, float]]) -> float:
    settled = points[int(len(points) * WARM_UP_SHARE) :]
    hours, sizes = zip(*settled, strict=True)
    return statistics.linear_regression(hours, sizes).slope
