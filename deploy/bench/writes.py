"""What the mesh does for a living: verifications, filings, and how soon the country sees them."""

import asyncio
import time

import httpx

from deploy.bench.figures import Figure
from deploy.bench.load import Outcome, saturate
from deploy.bench.mesh import GATEWAY, Mesh, filing

CONNECTIONS = 32
SECONDS, ROUNDS = 8.0, 3
FOLLOWED = 200
ADDED_PEOPLE = 100_000
VISIBLE_SECONDS = 10.0


async def verifications(mesh: Mesh) -> list[Figure]:
    sent = mesh.verifications("onestop-h26")
    runs = [
        await saturate(mesh.host, mesh.port, sent, connections=CONNECTIONS, seconds=SECONDS)
        for _ in range(ROUNDS)
    ]
    return _figures("verification through the gateway", runs, ">= 1,000/s", "<= 50 ms")


async def filings(mesh: Mesh) -> list[Figure]:
    sent = mesh.filings("onestop-h26")
    runs = [
        await saturate(mesh.host, mesh.port, sent, connections=CONNECTIONS, seconds=SECONDS)
        for _ in range(ROUNDS)
    ]
    return _figures("dossier filed through the gateway", runs, ">= 300/s", "")


def _figures(name: str, runs: list[Outcome], aim: str, p95_aim: str) -> list[Figure]:
    assert not any(run.failures() for run in runs), [run.statuses for run in runs]
    return [
        Figure(f"{name}: at saturation", "1/s", [run.per_second for run in runs], aim),
        Figure(f"{name}: p50", "ms", [run.quantile(0.5) for run in runs]),
        Figure(f"{name}: p95", "ms", [run.quantile(0.95) for run in runs], p95_aim),
    ]


async def visibility(mesh: Mesh) -> list[Figure]:
    """From the answer to a filing until the national view shows it, one after the other."""
    seconds: list[float] = []
    async with httpx.AsyncClient(base_url=GATEWAY, timeout=10) as http:
        headers = mesh.headers("onestop-h26")
        for number in range(FOLLOWED):
            answer = await http.post(
                "/dossier/v1/dossiers",
                content=filing(number),
                headers=headers | {"Content-Type": "application/json"},
            )
            started = time.perf_counter()
            path = f"/sync/v1/dossiers/{answer.raise_for_status().json()['code']}"
            async with asyncio.timeout(VISIBLE_SECONDS):
                # Each look is a request of its own: what it adds is in the figure.
                while not (await http.get(path, headers=headers)).is_success:  # noqa: ASYNC110 -- the state is in another process
                    await asyncio.sleep(0.002)
            seconds.append(time.perf_counter() - started)
    followed = Outcome(seconds=seconds)
    return [
        Figure("commit -> national view: p50", "ms", [followed.quantile(0.5)]),
        Figure("commit -> national view: p95", "ms", [followed.quantile(0.95)], "<= 300 ms"),
        Figure("commit -> national view: p99", "ms", [followed.quantile(0.99)], "<= 1,000 ms"),
    ]


async def people(mesh: Mesh) -> list[Figure]:
    """Made and written by COPY into the register of the running stack, which keeps them."""
    runs = [await asyncio.to_thread(mesh.add_people, ADDED_PEOPLE) for _ in range(ROUNDS)]
    return [Figure("people made and loaded", "1/s", runs, ">= 20,000/s")]
