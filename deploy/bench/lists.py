"""Measure the lists of a restricted client at a million dossiers, and the boards of indicators.

One call follows the other through a gateway, so that tokens, rights and the ledger count.
"""

from collections.abc import Awaitable, Iterator, Mapping

from deploy.bench.calibration import mean, measure_loops
from deploy.bench.cpu import read_cpu_seconds
from deploy.bench.figures import Figure
from deploy.bench.load import LoadRequest, LoadResult, saturate
from deploy.bench.load_results import latencies, sender
from deploy.bench.mesh import Mesh
from deploy.bench.questions import LISTS, LOOK_UP, indicators, lists, look_ups, visible_codes
from deploy.bench.restricted import RESTRICTED, create_grants
from deploy.bench.sizes import DataServer, Sized, data_server, database_name, sizes
from deploy.bench.statement_counter import counting_statements
from deploy.bench.steps import run_steps
from deploy.postgres import plain_url

SECONDS, ROUNDS, COUNTED_CALLS = 0.8, 3, 10
BOARD = "auditor-g22"
LIST_AIM, STATEMENTS_AIM, INDICATOR_AIM, MAKING_AIM = 40.0, 6.0, 100.0, 20_000.0


async def measure(mesh: Mesh) -> list[Figure]:
    await create_grants(mesh, BOARD)
    size = max(sizes())
    with data_server((size,)) as data, data.serving(size) as sized:
        steps: list[Awaitable[list[Figure]]] = [
            _measure_service(mesh, data, sized, name) for name in LISTS
        ]
        figures = await run_steps([*steps, _measure_boards(mesh, data, sized)])
    return [*making_speeds(data), *figures]


async def _measure_service(
    mesh: Mesh, data: DataServer, sized: Sized, service: str
) -> list[Figure]:
    codes = await visible_codes(plain_url(data.url("dossier_service", sized.size)))
    headers = mesh.headers(RESTRICTED)
    asked = lists(sized.gateway.url, service, headers)
    asked[LOOK_UP] = look_ups(sized.gateway.url, service, headers, codes)
    name = f"{service}, {sized.size:,}"
    return [
        *await _measure_calls(mesh, data, sized, asked, name=name, aim=LIST_AIM),
        *await _count_statements(data, sized, service, asked),
    ]


async def _measure_boards(mesh: Mesh, data: DataServer, sized: Sized) -> list[Figure]:
    boards = await indicators(sized.gateway.url, mesh.headers(BOARD))
    return await _measure_calls(
        mesh, data, sized, boards, name=f"{sized.size:,}", aim=INDICATOR_AIM
    )


async def _measure_calls(
    mesh: Mesh,
    data: DataServer,
    sized: Sized,
    asked: Mapping[str, Iterator[LoadRequest]],
    *,
    name: str,
    aim: float,
) -> list[Figure]:
    """Measure each kind of call: how long it takes, and the CPU time of all that serve it."""
    figures, loads = [], list[LoadResult]()
    loops = await measure_loops()
    for kind, requests in asked.items():
        runs, cpu_us = list[LoadResult](), list[float]()
        for _ in range(ROUNDS):
            before = _read_cpu_seconds(data, sized)
            runs.append(await ask(mesh, sized, requests))
            spent = _read_cpu_seconds(data, sized) - before
            cpu_us.append(spent / (1 + len(runs[-1].seconds)) * 1e6)
        earlier, loops = loops, await measure_loops()
        reference = [mean([earlier, loops]).python_us] * ROUNDS
        figures += list(latencies(f"{name}: {kind}", runs, p95=aim))[:2]
        figures.append(Figure(f"{name}: {kind}: CPU", "µs", cpu_us, reference=reference))
        loads += runs
    return [*figures, sender(name, loads)]


def _read_cpu_seconds(data: DataServer, sized: Sized) -> float:
    """Return the CPU time of the gateway, both services and PostgreSQL so far."""
    process_id = data.server.child.process_id
    assert process_id
    servers = (sized.gateway, sized.dossier, sized.sync)
    return read_cpu_seconds(process_id.pid) + sum(server.cpu_seconds() for server in servers)


async def ask(mesh: Mesh, sized: Sized, requests: Iterator[LoadRequest]) -> LoadResult:
    """Send on one connection, so that no call waits for another; a first call fills the caches."""
    await _ask_once(sized, next(requests))
    run = await saturate(
        sized.gateway.address, requests, connections=1, seconds=mesh.seconds(SECONDS), warm_up=0
    )
    return run.require_success()


async def _count_statements(
    data: DataServer, sized: Sized, service: str, asked: Mapping[str, Iterator[LoadRequest]]
) -> list[Figure]:
    figures = []
    for kind, requests in asked.items():
        async with counting_statements(data.server.url, data.server.log) as statements:
            for _ in range(COUNTED_CALLS):
                await _ask_once(sized, next(requests))
        each = statements.of(database_name(service, sized.size)) / COUNTED_CALLS
        figures.append(Figure(f"{service}: {kind}: SQL", "statements", [each], STATEMENTS_AIM))
    return figures


async def _ask_once(sized: Sized, sent: LoadRequest) -> None:
    load = await saturate(sized.gateway.address, iter([sent]), connections=1, seconds=60, warm_up=0)
    load.require_success()


def making_speeds(data: DataServer) -> list[Figure]:
    """Return the speeds at which this run made databases; a kept one gives none."""
    return [
        Figure(f"{size:,} dossiers made for {service}", "1/s", [speed], MAKING_AIM)
        for service, speeds in data.made.items()
        for size, speed in speeds.items()
    ]
