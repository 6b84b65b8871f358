"""Dossiers filed through the gateway, each with its applicant and papers, in one transaction."""

import asyncio

from deploy.bench.figures import Figure
from deploy.bench.load import at_rate, saturate
from deploy.bench.load_results import latencies, sender, speed
from deploy.bench.mesh import Mesh
from deploy.bench.statement_counter import count_statements

CONNECTIONS, ROUNDS, SECONDS = 32, 3, 6.0
NAME = "dossier filed through the gateway"
OTHERS_RATE = 20.0
CROWDED = "filed at one agency, without a pause"
BESIDE = f"filed at others meanwhile, {OTHERS_RATE:.0f}/s"


async def measure(mesh: Mesh) -> list[Figure]:
    requests = mesh.filings()
    runs = [
        await saturate(
            mesh.address, requests, connections=CONNECTIONS, seconds=mesh.seconds(SECONDS)
        )
        for _ in range(ROUNDS)
    ]
    each = await count_statements(mesh, requests)
    return [
        speed(NAME, runs, 300),
        *latencies(NAME, runs),
        sender(NAME, runs),
        Figure(f"{NAME}: SQL", "statements", [each]),
        *await _measure_beside_a_crowd(mesh),
    ]


async def _measure_beside_a_crowd(mesh: Mesh) -> list[Figure]:
    """Measure filings at one agency, which queue, and at others, which should not wait."""
    address, seconds = mesh.address, mesh.seconds(SECONDS)
    crowded, beside = [], []
    for _ in range(ROUNDS):
        one, others = await asyncio.gather(
            saturate(address, mesh.filings(communes=1), connections=CONNECTIONS, seconds=seconds),
            at_rate(
                address,
                mesh.filings(),
                rate=OTHERS_RATE,
                connections=CONNECTIONS,
                seconds=seconds,
            ),
        )
        crowded.append(one)
        beside.append(others.require_success())
    return [speed(CROWDED, crowded), *latencies(BESIDE, beside)]
