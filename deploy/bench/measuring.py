"""Measures part after part beside the running stack; one that fails does not stop the others."""

import asyncio
import os
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence

import uvloop

from deploy.bench import (
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
from deploy.bench.figures import Figure, table
from deploy.bench.mesh import Mesh
from deploy.bench.record import (
    Measured,
    Recorded,
    Run,
    commit_id,
    missing,
    read_recorded,
    record,
    remember,
    verdict,
    write_recorded,
)
from deploy.bench.sizes import sizes
from deploy.bench.steps import PartlyMeasuredError

Part = Callable[[Mesh], Awaitable[list[Figure]]]

PARTS: Mapping[str, Part] = {
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
BUDGET_SECONDS = 15 * 60
SHOWN = 300  # characters of a failure


def wished() -> list[str]:
    """The parts that ONLY names, else all; ends the process where there is no such part."""
    names = [name for name in os.environ.get("ONLY", "").split(",") if name] or list(PARTS)
    if unknown := set(names) - PARTS.keys():
        sys.exit(f"ONLY: no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return names


async def main() -> int:
    commit = commit_id()  # before any part writes a file
    measured = [await _measure(name) for name in wished()]
    figures = [figure for part in measured for figure in part.figures]
    print(f"\n{table(figures)}\n")
    _tell_seconds(measured)
    has_failed = any(part.failure for part in measured)
    if Mesh().is_short:
        print("a short run only shows that the parts work: it is neither kept nor compared")
        return int(has_failed)
    remember(Run(measured, sizes={"dossiers": max(sizes())}, commit=commit))
    before = read_recorded()
    if os.environ.get("RECORD"):
        write_recorded(record(measured, before))
    _tell_missing(measured, before)
    return int(_tell_worse(figures, before) or has_failed)


async def _measure(name: str) -> Measured:
    print(f"measuring {name} …", flush=True)
    started = time.perf_counter()
    try:
        figures = await PARTS[name](Mesh())
    except PartlyMeasuredError as error:
        seconds = time.perf_counter() - started
        return Measured(name, seconds, error.figures, failure=str(error)[:SHOWN])
    except Exception as error:  # noqa: BLE001 -- whatever it is, the other parts can be measured
        traceback.print_exc()
        return Measured(name, time.perf_counter() - started, failure=repr(error)[:SHOWN])
    return Measured(name, time.perf_counter() - started, figures)


def _tell_seconds(measured: Sequence[Measured]) -> None:
    spent = ", ".join(f"{part.part} {part.seconds:.0f}" for part in measured)
    total = sum(part.seconds for part in measured)
    print(f"seconds: {spent}; {total:.0f} of {BUDGET_SECONDS} together")
    for part in measured:
        if part.failure:
            print(f"FAILED: {part.part}: {part.failure}")


def _tell_missing(measured: Sequence[Measured], recorded: Recorded) -> None:
    for name in missing(measured, recorded):
        print(f"on record and not measured: {name}")


def _tell_worse(figures: Sequence[Figure], recorded: Recorded) -> bool:
    """True where a figure is past its hard bound."""
    verdicts = {figure.name: verdict(figure, recorded) for figure in figures}
    new = [name for name, each in verdicts.items() if each == "new"]
    past = [name for name, each in verdicts.items() if each == "past"]
    if new:
        print(f"{len(new)} figures are not on record yet: `make bench RECORD=1` records them")
    for name in past:
        print(f"TWICE AS BAD as recorded ({recorded[name]['figure']}): {name}")
    return bool(past)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main()))
