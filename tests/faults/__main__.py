"""`python -m tests.faults`: every fault under load; `docs/faults.md` says what it proves.

From the environment: SEED; ONLY, parts of names; SECONDS, faults at random for so long; SOAK,
seconds of the soak alone; RATE, operations a second.
"""

import asyncio
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from deploy.kafka.server import fetch_jars
from deploy.local.supervisor import say
from tests.faults.catalogue import FAULTS
from tests.faults.fault import Fault, Kind, Suffered
from tests.faults.ground import ground, lacks_kafka
from tests.faults.invariants import axis_complaints
from tests.faults.isolation import is_isolated, isolate
from tests.faults.load import PER_SECOND
from tests.faults.report import line, write_report
from tests.faults.suffer import Ground, suffer


def main() -> int:
    if not is_isolated() and shutil.which("java") and shutil.which("mvn"):
        fetch_jars()  # while there is still a network
    isolate()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    seed = os.environ.get("SEED") or str(random.SystemRandom().randrange(10**6))
    rate = float(os.environ.get("RATE") or PER_SECOND)
    say(f"seed {seed}, {rate:g} operations a second")
    came_to: list[Suffered] = []
    with suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(prefix="faults-") as folder:
        for kind in Kind:
            faults = _chosen(kind, seed)
            if kind is Kind.APART and (lack := lacks_kafka()):
                came_to += [Suffered(fault, skipped=lack) for fault in faults]
            elif faults:
                with ground(kind, Path(folder), seed, rate) as here:
                    came_to += asyncio.run(_on(faults, here))
        if not any(os.environ.get(name) for name in ("ONLY", "SECONDS", "SOAK")):
            write_report(came_to, seed, rate)
    bad = [each.fault.name for each in came_to if each.wrong]
    say(f"{len(came_to)} faults; not held: {', '.join(bad) or 'none'}")
    return int(bool(bad) or not came_to)


def _chosen(kind: Kind, seed: str) -> Iterable[Fault]:
    """Those of that mesh in turn, or at random for SECONDS."""
    wanted = ["soak"] if os.environ.get("SOAK") else os.environ.get("ONLY", "").split()
    faults = [
        fault
        for fault in FAULTS
        if fault.on is kind and (not wanted or any(each in fault.name for each in wanted))
    ]
    seconds = os.environ.get("SECONDS")
    return _at_random(faults, seed, float(seconds)) if seconds and faults else faults


def _at_random(faults: Sequence[Fault], seed: str, seconds: float) -> Iterator[Fault]:
    chance, ends = random.Random(seed), time.monotonic() + seconds / len(Kind)
    while time.monotonic() < ends:
        yield chance.choice(faults)


async def _on(faults: Iterable[Fault], here: Ground) -> list[Suffered]:
    came_to = []
    for fault in faults:
        came_to.append(await suffer(fault, here))
        say(line(came_to[-1]))
    if wrong := await axis_complaints(here.mesh, here.axis_began):
        say("\n    ".join(["the axis does not hold what was sent", *wrong]))
        came_to[-1].wrong += wrong
    return came_to


if __name__ == "__main__":
    sys.exit(main())
