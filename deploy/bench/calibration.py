"""The speed of this machine, taken in the same run as the figures that it stands beside."""

import asyncio
import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.bench.figures import format_number
from deploy.bench.mesh import PYTHON
from deploy.dev_stack.stack import ROOT


@dataclass(frozen=True)
class Calibration:
    """CPU time in microseconds: of a turn of each loop, and of a request that nginx passes on.

    `nginx_us` is None where nginx is not installed or was not measured.
    """

    python_us: float
    hash_us: float
    nginx_us: float | None = None

    def __str__(self) -> str:
        nginx = "not measured" if self.nginx_us is None else f"{format_number(self.nginx_us)} µs"
        return (
            f"Python loop {format_number(self.python_us)} µs, "
            f"hash loop {format_number(self.hash_us)} µs, "
            f"nginx {nginx} a request"
        )


async def measure_loops() -> Calibration:
    """Run the loops on all cores at once, because the loads keep all cores busy too."""
    cores = len(os.sched_getaffinity(0))
    outputs = await asyncio.gather(*(_run_loops() for _ in range(cores)))
    return mean([Calibration(*json.loads(output)) for output in outputs])


async def _run_loops() -> bytes:
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-m", "deploy.bench.loops", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the calibration ended with {process.returncode}")
    return output


def mean(calibrations: Sequence[Calibration]) -> Calibration:
    nginx = [each.nginx_us for each in calibrations if each.nginx_us is not None]
    return Calibration(
        python_us=statistics.fmean(each.python_us for each in calibrations),
        hash_us=statistics.fmean(each.hash_us for each in calibrations),
        nginx_us=statistics.fmean(nginx) if nginx else None,
    )
