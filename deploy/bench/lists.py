"""What a restricted client asks of a million dossiers, and what boards ask of the indicators.

One call after the other, through a gateway: tokens, rights and the ledger are in the figures.
"""

from collections.abc import Awaitable, Iterator, Mapping

from deploy.bench.figures import Figure
from deploy.bench.load import Outcome, Request, saturate
from deploy.bench.load_results import latencies, sender
from deploy.bench.mesh import Mesh
from deploy.bench.questions import LISTS, LOOK_UP, indicators, lists, look_ups, visible_codes
from deploy.bench.restricted import RESTRICTED, restrict
from deploy.bench.sizes import DataServer, Sized, data_server, database_name, sizes
from deploy.bench.statement_counter import counted
from deploy.bench.steps import in_turn
from deploy.postgres import plain_url

SECONDS, ROUNDS, COUNTED_CALLS = 0.8, 3, 10
BOARD = "auditor-g22"
LIST_AIM, STATEMENTS_AIM, INDICATOR_AIM, MAKING_AIM = 40.0, 6.0, 100.0, 20_000.0


async def measure(mesh: Mesh) -> list[Figure]:
    await restrict(mesh, BOARD)
    size = max(sizes())
    with data_server((size,)) as data, data.serving(size) as sized:
        steps: list[Awaitable[list[Figure]]] = [
            _of_service(mesh, data, sized, name) for name in LISTS
        ]
        figures = await in_turn([*steps, _of_boards(mesh, sized)])
    return [*making_speeds(data), *figures]


async def _of_service(mesh: Mesh, data: DataServer, sized: Sized, service: str) -> list[Figure]:
    codes = await visible_codes(plain_url(data.url("dossier_service", sized.size)))
    headers = mesh.headers(RESTRICTED)
    asked = lists(sized.gateway.url, service, headers)
    asked[LOOK_UP] = look_ups(sized.gateway.url, service, headers, codes)
    name = f"{service}, {sized.size:,}"
    return [
        *await _latencies(mesh, sized, name, asked, LIST_AIM),
        *await _statements(data, sized, service, asked),
    ]


async def _of_boards(mesh: Mesh, sized: Sized) -> list[Figure]:
    boards = await indicators(sized.gateway.url, mesh.headers(BOARD))
    return await _latencies(mesh, sized, f"{sized.size:,}", boards, INDICATOR_AIM)


async def _latencies(
    mesh: Mesh, sized: Sized, name: str, asked: Mapping[str, Iterator[Request]], aim: float
) -> list[Figure]:
    figures, loads = [], list[Outcome]()
    for kind, requests in asked.items():
        runs = [await ask(mesh, sized, requests) for _ in range(ROUNDS)]
        figures += list(latencies(f"{name}: {kind}", runs, p95=aim))[:2]
        loads += runs
    return [*figures, sender(name, loads)]


async def ask(mesh: Mesh, sized: Sized, requests: Iterator[Request]) -> Outcome:
    """On one connection: nobody waits for anybody else. The first call finds nothing in memory."""
    await _once(sized, next(requests))
    run = await saturate(
        sized.gateway.address, requests, connections=1, seconds=mesh.seconds(SECONDS), warm_up=0
    )
    return run.require_success()


async def _statements(
    data: DataServer, sized: Sized, service: str, asked: Mapping[str, Iterator[Request]]
) -> list[Figure]:
    figures = []
    for kind, requests in asked.items():
        async with counted(data.server.url, data.server.log) as statements:
            for _ in range(COUNTED_CALLS):
                await _once(sized, next(requests))
        each = statements.of(database_name(service, sized.size)) / COUNTED_CALLS
        figures.append(Figure(f"{service}: {kind}: SQL", "statements", [each], STATEMENTS_AIM))
    return figures


async def _once(sized: Sized, sent: Request) -> None:
    load = await saturate(sized.gateway.address, iter([sent]), connections=1, seconds=60, warm_up=0)
    load.require_success()


def making_speeds(data: DataServer) -> list[Figure]:
    """Only of databases that this run made."""
    return [
        Figure(f"{size:,} dossiers made for {service}", "1/s", [speed], MAKING_AIM)
        for service, speeds in data.made.items()
        for size, speed in speeds.items()
    ]
