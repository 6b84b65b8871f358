"""`python -m tests.faults`: every fault under load; see docs/en/explanation/faults.md.

From the environment: SEED; ONLY, parts of names; SECONDS, faults at random for so long; SOAK,
seconds of the soak alone; RATE, operations a second.
"""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from deploy.dev_stack.supervisor import say
from deploy.kafka.server import fetch_jars
from tests.faults.catalogue import FAULTS, SOAK
from tests.faults.fault import Fault, Kind, Suffered
from tests.faults.ground import ground, lacks_kafka
from tests.faults.invariants import axis_complaints
from tests.faults.isolation import is_isolated, isolate
from tests.faults.load import PER_SECOND
from tests.faults.report import line, write_report, write_soak
from tests.faults.runner import Ground, suffer
from tests.support.tools import OF_FAULTS, count_left_out, describe_missing

BROKEN_OFF = 130
NUMBERS = ("RATE", "SECONDS", "SOAK")


def main() -> int:
    _refuse_what_is_no_number()
    if unknown := [word for word in _words() if not any(word in each.name for each in FAULTS)]:
        names = ", ".join(fault.name for fault in FAULTS)
        sys.exit(f"ONLY: no fault has {', '.join(unknown)} in its name; there are {names}")
    if not is_isolated() and shutil.which("java") and shutil.which("mvn"):
        _fetch_kafka()  # while there is still a network
    isolate()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    seed = os.environ.get("SEED") or str(random.SystemRandom().randrange(10**6))
    rate = float(os.environ.get("RATE") or PER_SECOND)
    say(f"seed {seed}, {rate:g} operations a second")
    for told in _left_out():
        say(told)
    began = time.monotonic()
    try:
        came_to = _suffer_all(seed, rate)
    except KeyboardInterrupt:
        say("broken off: what was not struck is not proved")
        return BROKEN_OFF
    seconds = time.monotonic() - began
    struck = [each for each in came_to if not each.skipped]
    if os.environ.get("SOAK"):
        write_soak(came_to[0], seed, rate)
    elif not any(os.environ.get(name) for name in ("ONLY", "SECONDS")) and struck == came_to:
        write_report(came_to, seed, rate, seconds)
    bad = [each.fault.name for each in struck if each.wrong]
    for told in count_left_out([each.skipped for each in came_to if each.skipped], "the faults"):
        say(told)
    told = f"{len(struck)} faults in {seconds / 60:.1f} minutes"
    say(f"{told}; not held: {', '.join(bad) or 'none'}")
    return int(bool(bad) or not struck)


def _refuse_what_is_no_number() -> None:
    for name in NUMBERS:
        try:
            float(os.environ.get(name) or 0)
        except ValueError:
            sys.exit(f"{name}: a number is needed, as in {name}=30")


def _fetch_kafka() -> None:
    try:
        fetch_jars()
    except subprocess.CalledProcessError as error:
        say(f"Apache Kafka is left out: Maven ended with {error.returncode}")


def _suffer_all(seed: str, rate: float) -> list[Suffered]:
    came_to: list[Suffered] = []
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        for kind in Kind:
            faults = _chosen(kind)
            if kind is Kind.APART and (lack := lacks_kafka()):
                came_to += [Suffered(fault, skipped=lack) for fault in faults]
            elif faults:
                with ground(kind, Path(folder), seed, rate) as here:
                    came_to += asyncio.run(_on(_in_turn(faults, seed), here))
    return came_to


def _left_out() -> Sequence[str]:
    """Say before the first fault which cannot be struck on this machine, and what each needs."""
    chosen = [fault for kind in Kind for fault in _chosen(kind)]
    lacks = [fault.lacks() or (lacks_kafka() if fault.on is Kind.APART else "") for fault in chosen]
    missing = count_left_out(filter(None, lacks), f"{len(chosen)} faults")
    return [*describe_missing(OF_FAULTS), *missing] if missing else []


def _words() -> list[str]:
    return os.environ.get("ONLY", "").split()


def _chosen(kind: Kind) -> Sequence[Fault]:
    if os.environ.get("SOAK"):
        return [SOAK] if kind is SOAK.on else []
    wanted = _words()
    return [
        fault
        for fault in FAULTS
        if fault.on is kind and (not wanted or any(each in fault.name for each in wanted))
    ]


def _in_turn(faults: Sequence[Fault], seed: str) -> Iterable[Fault]:
    """One after the other, or at random for SECONDS those that this machine can do."""
    if not (seconds := os.environ.get("SECONDS")):
        return faults
    return _at_random([each for each in faults if not each.lacks()], seed, float(seconds))


def _at_random(faults: Sequence[Fault], seed: str, seconds: float) -> Iterator[Fault]:
    chance, ends = random.Random(seed), time.monotonic() + seconds / len(Kind)
    while faults and time.monotonic() < ends:
        yield chance.choice(faults)


async def _on(faults: Iterable[Fault], here: Ground) -> list[Suffered]:
    came_to = []
    for fault in faults:
        came_to.append(await suffer(fault, here))
        say(line(came_to[-1]))
    if wrong := await axis_complaints(here.mesh):
        say("\n    ".join(["the axis does not hold what was sent", *wrong]))
        came_to[-1].wrong += wrong
    return came_to


if __name__ == "__main__":
    sys.exit(main())
