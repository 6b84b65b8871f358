"""One fault under load: quiet, the strike, recovery, rest, and then the question what holds."""

import asyncio
import itertools
import random
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import asyncpg
import psutil

from deploy.kafka.server import KafkaServer
from deploy.postgres import EmbeddedPostgres
from tests.faults.evidence import longest_lateness
from tests.faults.fault import Fault, Seen, Site, Suffered
from tests.faults.invariants import complaints
from tests.faults.journal import STEADY_S, Journal, Outcome
from tests.faults.load import PER_SECOND, Load
from tests.faults.workload import Desk
from tests.support.mesh import Mesh

QUIET_S = 4.0
RECOVERS_WITHIN = 60.0
LOOK_S = 0.25
FAILED_STRIKE = (
    AssertionError,
    OSError,
    aiohttp.ClientError,
    asyncpg.PostgresError,
    psutil.Error,
    subprocess.SubprocessError,
)


@dataclass
class Ground:
    """A running mesh on which faults happen one after the other."""

    mesh: Mesh
    seed: str
    volumes: Path
    per_second: float = PER_SECOND
    database: EmbeddedPostgres | None = None
    axis: KafkaServer | None = None
    # of the dossiers that the other system pushes, in every run of a day others
    serials: Iterator[int] = field(
        default_factory=lambda: itertools.count(time.time_ns() // 10**8 % 8_000_000)
    )


async def suffer(fault: Fault, ground: Ground) -> Suffered:
    came_to = Suffered(fault)
    if lack := fault.lacks():
        came_to.skipped = lack
        return came_to
    seed = f"{ground.seed} {fault.name}"
    journal = Journal()
    load = Load(ground.mesh, journal, seed, ground.per_second)
    site = Site(
        ground.mesh, load, random.Random(seed), ground.volumes, ground.database, ground.axis
    )
    began = datetime.now(UTC)
    async with load.running(Desk(ground.serials).play):
        seen = await _strike(fault, site, came_to.wrong)
        came_to.lasted = seen.ended - seen.began
        came_to.recovered = await _recovery(journal, seen.ended)
    came_to.wrong += await complaints(ground.mesh, journal)
    came_to.wrong += fault.expect(seen)
    if came_to.recovered is None:
        came_to.wrong.append(f"no recovery within {RECOVERS_WITHIN:.0f} s")
    came_to.notes = site.notes
    if journal.not_sent:
        came_to.notes.append(f"{journal.not_sent} operations not begun: too many were under way")
    came_to.bad_answers = journal.bad_answers()
    came_to.acknowledged = journal.outcomes[Outcome.ACKNOWLEDGED]
    came_to.refused = journal.outcomes[Outcome.REFUSED]
    came_to.unknown = journal.outcomes[Outcome.UNKNOWN]
    if not fault.sets_clock:
        came_to.late = await longest_lateness(ground.mesh, began)
        if came_to.late > came_to.lasted + RECOVERS_WITHIN:
            came_to.wrong.append(f"seen {came_to.late:.0f} s late")
    return came_to


async def _strike(fault: Fault, site: Site, wrong: list[str]) -> Seen:
    journal, load_began = site.load.journal, time.monotonic()
    # The last fault may have left cold pools behind.
    if await _recovery(journal, load_began) is None:
        wrong.append("the answers were not good before the fault")
    await asyncio.sleep(QUIET_S - STEADY_S)
    began = time.monotonic()
    try:
        await fault.strike(site)
    except FAILED_STRIKE as error:  # the other faults have to be struck all the same
        wrong.append(f"the strike failed: {error!r}")
    return Seen(journal, load_began, began, time.monotonic())


async def _recovery(journal: Journal, since: float) -> float | None:
    """Seconds after `since`; None where it takes too long."""
    while time.monotonic() < since + RECOVERS_WITHIN + STEADY_S:
        if (at := journal.recovered_at(since)) is not None:
            return at - since
        await asyncio.sleep(LOOK_S)
    return None
