"""Transitions through the gateway: each reads, checks, writes and publishes an event."""

import asyncio
import itertools
import json
from collections.abc import Iterator, Sequence
from uuid import uuid4

import httpx

from deploy.bench.figures import Figure
from deploy.bench.load import LoadRequest, request, saturate
from deploy.bench.load_results import latencies, sender, speed
from deploy.bench.mesh import Mesh, make_filing
from deploy.bench.statement_counter import count_statements

CONNECTIONS, ROUNDS, SECONDS = 32, 3, 6.0
# Far more than connections: a dossier's next move is sent when its last was long answered.
DOSSIERS = 400
RECEIVED, PROCESSING, SUPPLEMENT_REQUESTED = 2, 4, 5
NAME = "dossier moved through the gateway"


async def measure(mesh: Mesh) -> list[Figure]:
    requests = moves(mesh, mesh.url, await create_dossiers(mesh, mesh.url, DOSSIERS))
    runs = [
        await saturate(
            mesh.address, requests, connections=CONNECTIONS, seconds=mesh.seconds(SECONDS)
        )
        for _ in range(ROUNDS)
    ]
    each = await count_statements(mesh, requests)
    return [
        speed(NAME, runs),
        *latencies(NAME, runs),
        sender(NAME, runs),
        Figure(f"{NAME}: SQL", "statements", [each]),
    ]


async def create_dossiers(mesh: Mesh, url: str, count: int) -> Sequence[str]:
    """Create dossiers and return their codes."""
    headers = mesh.headers() | {"Content-Type": "application/json"}
    numbers = iter(range(count))

    async def file(http: httpx.AsyncClient) -> list[str]:
        codes = []
        for number in numbers:
            answer = await http.post("/dossier/v1/dossiers", content=make_filing(number))
            codes.append(answer.raise_for_status().json()["code"])
        return codes

    async with httpx.AsyncClient(
        base_url=url, headers=headers, timeout=30, trust_env=False
    ) as http:
        found = await asyncio.gather(*(file(http) for _ in range(8)))
    return [code for codes in found for code in codes]


def moves(mesh: Mesh, url: str, codes: Sequence[str]) -> Iterator[LoadRequest]:
    """Yield moves without end: received, processing, then supplements requested and brought."""
    headers = mesh.headers()
    onward = itertools.cycle((PROCESSING, SUPPLEMENT_REQUESTED))
    statuses = itertools.chain((RECEIVED,), onward)
    for version, status in enumerate(statuses, start=1):
        body = json.dumps({"to": status}).encode()
        for code in codes:
            target = f"{url}/dossier/v1/dossiers/{code}/transitions"
            own = {"If-Match": f'"{version}"', "Idempotency-Key": str(uuid4())}
            yield request("POST", target, headers | own, body)
