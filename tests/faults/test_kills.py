"""The short form of `make faults`: processes are killed under load, nothing answered is lost."""

import pytest

from tests.faults.catalogue import FAULTS
from tests.faults.fault import Fault, Site
from tests.faults.invariants import axis_complaints
from tests.faults.runner import Ground, suffer
from tests.support.mesh import Mesh

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SEED, PER_SECOND = "20261122", 15.0
VICTIMS = ("gateway-serve", "dossier-serve", "dossier-work", "sync-work", "broker")
_KILLS = {fault.name.removeprefix("kill-"): fault for fault in FAULTS}


async def _kill_all(site: Site) -> None:
    """One after the other, each when the one before runs again."""
    for victim in VICTIMS:
        await _KILLS[victim].strike(site)


async def test_nothing_is_lost_or_doubled_when_processes_are_killed(mesh: Mesh) -> None:
    fault = Fault("kills", "processes killed one after the other", _kill_all)
    ground = Ground(mesh, SEED, mesh.directory, PER_SECOND)
    came_to = await suffer(fault, ground)
    assert came_to.wrong == []
    # Some around each kill; how many more is for the machine to say.
    assert came_to.acknowledged > len(VICTIMS)
    assert came_to.unknown == 0
    assert await axis_complaints(mesh) == []
