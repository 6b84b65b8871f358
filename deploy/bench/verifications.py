"""Verifications through the gateway: at saturation, at ten times the national rate, unledgered."""

from collections.abc import Iterator
from contextlib import contextmanager

from deploy.bench.figures import Figure
from deploy.bench.load import LoadResult, at_rate, saturate
from deploy.bench.load_results import latencies, sender, speed
from deploy.bench.mesh import Mesh
from deploy.bench.processes import Server, service
from deploy.bench.steps import run_steps

CONNECTIONS, ROUNDS = 32, 3
SECONDS, LONG_S = 5.0, 120.0
# The whole country asks for 51 a second on average.
NATIONAL_RATE_TENFOLD = 510.0
NAME = "verification through the gateway"


async def measure(mesh: Mesh) -> list[Figure]:
    steps = (_measure_saturated, _measure_at_national_rate, _compare_without_ledger)
    return await run_steps(step(mesh) for step in steps)


async def _measure_saturated(mesh: Mesh) -> list[Figure]:
    seconds = mesh.seconds(SECONDS)
    requests = mesh.verifications()
    runs = [
        await saturate(mesh.address, requests, connections=CONNECTIONS, seconds=seconds)
        for _ in range(ROUNDS)
    ]
    return [
        speed(f"{NAME}, saturated", runs, 1000),
        *latencies(f"{NAME}, saturated", runs, p95=50),
        sender(f"{NAME}, saturated", runs),
    ]


async def _measure_at_national_rate(mesh: Mesh) -> list[Figure]:
    long = mesh.seconds(LONG_S)
    whole = await at_rate(
        mesh.address,
        mesh.verifications(),
        rate=NATIONAL_RATE_TENFOLD,
        connections=2 * CONNECTIONS,
        seconds=long,
    )
    parts = whole.require_success().windows(ROUNDS)
    name = f"verification at {NATIONAL_RATE_TENFOLD:.0f}/s"
    return [*latencies(name, parts, p99=50), sender(name, [whole])]


async def _compare_without_ledger(mesh: Mesh) -> list[Figure]:
    """Measure the cost of the ledger: two gateways that differ in it alone, in turns."""
    runs: dict[str, list[LoadResult]] = {"ledger": [], "none": []}
    with service("gateway") as ledgered, unledgered_gateway() as unledgered:
        for _ in range(ROUNDS):
            for name, gateway in (("ledger", ledgered), ("none", unledgered)):
                run = await saturate(
                    gateway.address,
                    mesh.verifications(gateway.url),
                    connections=CONNECTIONS,
                    seconds=mesh.seconds(SECONDS / 2),
                )
                runs[name].append(run.require_success())
    reference = [run.per_second for run in runs["none"]]
    return [
        Figure("verification, ledger off (bench only)", "1/s", reference),
        Figure(
            "verification, ledger on, beside it",
            "1/s",
            [run.per_second for run in runs["ledger"]],
            reference=reference,
        ),
    ]


@contextmanager
def unledgered_gateway() -> Iterator[Server]:
    with service("gateway", program=("-m", "deploy.bench.unledgered")) as started:
        yield started
