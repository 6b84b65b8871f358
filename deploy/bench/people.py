"""Synthetic people made and written by COPY into the register of the running stack."""

import asyncio

from deploy.bench.figures import Figure
from deploy.bench.mesh import Mesh, run_as

ADDED, ROUNDS = 100_000, 3


async def measure(mesh: Mesh) -> list[Figure]:
    added = int(ADDED * min(1.0, mesh.seconds(2) / 2))
    async with mesh.database("identity_service") as connection:
        held = await connection.fetchval("SELECT loaded FROM people_load")
    runs = [
        await asyncio.to_thread(_create_people, held + added * number)
        for number in range(1, ROUNDS + 1)
    ]
    return [Figure("people made and loaded", "1/s", runs, 20_000)]


def _create_people(count: int) -> float:
    """Return the people per second that the command prints at its end."""
    told = run_as(
        "identity_service", "-m", "identity_service", "people", "load", "--count", str(count)
    )
    return float(told.split()[-2].replace(",", ""))
