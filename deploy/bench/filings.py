"""Dossiers filed through the gateway, each with its applicant and papers, in one transaction."""

from deploy.bench.figures import Figure
from deploy.bench.load import saturate
from deploy.bench.mesh import Mesh
from deploy.bench.outcomes import latencies, sender, speed
from deploy.bench.statements import statements_of

CONNECTIONS, ROUNDS, SECONDS = 32, 3, 6.0
NAME = "dossier filed through the gateway"


async def measure(mesh: Mesh) -> list[Figure]:
    requests = mesh.filings()
    runs = [
        await saturate(
            mesh.address, requests, connections=CONNECTIONS, seconds=mesh.seconds(SECONDS)
        )
        for _ in range(ROUNDS)
    ]
    each = await statements_of(mesh, requests)
    return [
        speed(NAME, runs, 300),
        *latencies(NAME, runs),
        sender(NAME, runs),
        Figure(f"{NAME}: SQL", "statements", [each]),
    ]
