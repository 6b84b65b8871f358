"""Measure part after part beside the running stack; a part that fails does not stop the others."""

import asyncio
import os
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

import uvloop

from deploy.bench import (
    costs,
    events,
    filings,
    growth,
    lists,
    people,
    proxies,
    sync,
    transitions,
    verifications,
    visibility,
)
from deploy.bench.calibration import mean, measure_loops
from deploy.bench.cpu import list_processes, read_cpu_seconds, read_machine_seconds
from deploy.bench.figures import Figure, format_table
from deploy.bench.judging import (
    DISTURBED_UNITS,
    Recorded,
    compare,
    describe_machine,
    list_missing,
)
from deploy.bench.mesh import Mesh
from deploy.bench.record import (
    Measured,
    Run,
    append_to_history,
    commit_id,
    read_recorded,
    update_recorded,
    write_recorded,
)
from deploy.bench.sizes import sizes
from deploy.bench.steps import PartlyMeasuredError
from deploy.dev_stack.record import read_record

Part = Callable[[Mesh], Awaitable[list[Figure]]]

PARTS: Mapping[str, Part] = {
    "costs": costs.measure,
    "proxies": proxies.measure,
    "verifications": verifications.measure,
    "filings": filings.measure,
    "transitions": transitions.measure,
    "visibility": visibility.measure,
    "sync": sync.measure,
    "events": events.measure,
    "lists": lists.measure,
    "growth": growth.measure,
    "people": people.measure,
}
SHORT_FORM = ["costs"]
BUDGET_S = 17 * 60
MAX_FAILURE_CHARACTERS = 300


def read_wanted_parts() -> list[str]:
    """Return the parts of ONLY or of the short form, else all; exit where a part is unknown."""
    usual = SHORT_FORM if os.environ.get("SHORT") else list(PARTS)
    names = [name for name in os.environ.get("ONLY", "").split(",") if name] or usual
    if unknown := set(names) - PARTS.keys():
        sys.exit(f"ONLY: no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return names


async def main() -> int:
    commit = commit_id()  # before any part writes a file
    mesh = Mesh()
    nginx_us = await proxies.measure_nginx(mesh)
    measured = [await _measure(name, nginx_us) for name in read_wanted_parts()]
    print_figures(measured)
    if mesh.is_trial:
        print("a trial only shows that the parts work: it is neither kept nor compared")
        return int(any(part.failure for part in measured))
    if not os.environ.get("SHORT"):
        append_to_history(Run(measured, sizes={"dossiers": max(sizes())}, commit=commit))
    recorded = read_recorded()
    if os.environ.get("RECORD"):
        write_recorded(update_recorded(measured, recorded))
    return judge(measured, recorded)


async def _measure(name: str, nginx_us: float | None) -> Measured:
    print(f"measuring {name} …", flush=True)
    mesh = Mesh()
    loops = await measure_loops()
    started, others = time.perf_counter(), _read_other_seconds(mesh)
    figures: Sequence[Figure] = ()
    failure = ""
    try:
        figures = await PARTS[name](mesh)
    except PartlyMeasuredError as error:
        figures, failure = error.figures, str(error)
    except Exception as error:  # noqa: BLE001 -- the other parts can be measured after any error
        traceback.print_exc()
        failure = repr(error)
    seconds = time.perf_counter() - started
    others = (_read_other_seconds(mesh) - others) / seconds / (os.cpu_count() or 1)
    calibration = replace(mean([loops, await measure_loops()]), nginx_us=nginx_us)
    return Measured(
        part=name,
        seconds=seconds,
        figures=[replace(figure, loop_us=calibration.python_us) for figure in figures],
        failure=failure[:MAX_FAILURE_CHARACTERS],
        calibration=calibration,
        other_work=max(0.0, others),
    )


def _read_other_seconds(mesh: Mesh) -> float:
    """Return the CPU time of all processes that are neither the bench nor its stack."""
    own = {os.getpid()}
    if record := read_record(mesh.stack.directory):
        supervisor = record.supervisor.pid
        is_inside = any(process.pid in own for process in list_processes(supervisor))
        own = {supervisor} if is_inside else own | {supervisor}
    return read_machine_seconds() - sum(read_cpu_seconds(pid) for pid in own)


def print_figures(measured: Sequence[Measured]) -> None:
    """Print the calibration of each part, its figures, and the seconds that it took."""
    for part in measured:
        print(f"\n{part.part}: calibration: {part.calibration}; other work {part.other_work:.0%}")
        if part.figures:
            print(format_table(part.figures))
    print("\nin loops: a time in turns of the Python loop, a speed for the time of one turn")
    spent = ", ".join(f"{part.part} {part.seconds:.0f}" for part in measured)
    total = sum(part.seconds for part in measured)
    print(f"seconds: {spent}; {total:.0f} of {BUDGET_S} together")


def judge(measured: Sequence[Measured], recorded: Recorded) -> int:
    """Return the exit code: 1 where a part failed or a figure is past its bound."""
    figures = [figure for part in measured for figure in part.figures]
    ended = {part.part: part.figures for part in measured if not part.failure}
    comparisons = [
        compare(figure, recorded)
        for part in measured
        for figure in part.figures
        if not (part.is_disturbed and figure.unit in DISTURBED_UNITS)
    ]
    new = [each for each in comparisons if each.verdict == "new"]
    better = [each for each in comparisons if each.verdict == "better"]
    past = [each for each in comparisons if each.verdict == "past"]
    failed = [part for part in measured if part.failure]
    for line in describe_machine(figures, recorded):
        print(f"this machine: {line}")
    for name in list_missing(ended, recorded):
        print(f"on record and not measured: {name}")
    if new:
        print(f"{len(new)} figures are not on record yet: `make bench RECORD=1` records them")
    for comparison in better:
        print(f"better than its bound, record it anew: {comparison}")
    for part in measured:
        if part.is_disturbed:
            print(f"not judged: CPU time of {part.part}: other work took {part.other_work:.0%}")
    for part in failed:
        print(f"FAILED: {part.part}: {part.failure}")
    for comparison in past:
        print(f"PAST ITS BOUND: {comparison}")
    return int(bool(failed or past))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main()))
