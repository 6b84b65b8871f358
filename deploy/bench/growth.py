"""The growth of the main costs with the dossiers, the connections and the gateways."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack

from deploy.bench.figures import Figure
from deploy.bench.lists import BOARD, ask, making_speeds
from deploy.bench.load import saturate
from deploy.bench.mesh import Mesh
from deploy.bench.paths import FOLDER
from deploy.bench.plot import PLOT, draw
from deploy.bench.processes import service
from deploy.bench.questions import FIRST_PAGE, indicators, lists, look_ups, visible_codes
from deploy.bench.restricted import RESTRICTED, create_grants
from deploy.bench.sizes import DataServer, Sized, data_server, sizes
from deploy.bench.sync import PASSES, first_number, send_batches
from deploy.postgres import plain_url

ROUNDS, SECONDS = 3, 1.5
PUSHING, PUSHED_BATCHES = "external-h41", 3
CONNECTIONS, GATEWAYS = (1, 4, 16, 64), (1, 2, 4)
CONNECTIONS_OF_GATEWAYS = 32
INDICATOR = "indicator of a province"


async def measure(mesh: Mesh) -> list[Figure]:
    await create_grants(mesh, BOARD)
    by_cost: dict[str, dict[int, list[float]]] = {}
    with data_server(sizes()) as data:
        for size in sizes():
            with data.serving(size) as sized:
                async for cost, runs in _measure_costs(mesh, data, sized):
                    by_cost.setdefault(cost, {})[size] = runs
    served = {
        "connections": {count: await _measure_by_connections(mesh, count) for count in CONNECTIONS},
        "gateways": {count: await _measure_by_gateways(mesh, count) for count in GATEWAYS},
    }
    figures = [*_list_cost_figures(by_cost), *_list_served_figures(served)]
    draw(by_cost, served, FOLDER / PLOT.name if mesh.is_trial else PLOT)
    return [*making_speeds(data), *figures]


async def _measure_costs(
    mesh: Mesh, data: DataServer, sized: Sized
) -> AsyncIterator[tuple[str, list[float]]]:
    """Yield each cost with its runs: medians in milliseconds, on one connection."""
    gateway, restricted = sized.gateway.url, mesh.headers(RESTRICTED)
    codes = await visible_codes(plain_url(data.url("dossier_service", sized.size)))
    boards = await indicators(gateway, mesh.headers(BOARD))
    asked = {
        "list, dossier_service": lists(gateway, "dossier_service", restricted)[FIRST_PAGE],
        "list, sync_service": lists(gateway, "sync_service", restricted)[FIRST_PAGE],
        "look-up, dossier_service": look_ups(gateway, "dossier_service", restricted, codes),
        "look-up, sync_service": look_ups(gateway, "sync_service", restricted, codes),
        "indicator of a province": boards[INDICATOR],
        "filing": mesh.filings(gateway),
    }
    for cost, requests in asked.items():
        yield cost, [(await ask(mesh, sized, requests)).ms(0.5) for _ in range(ROUNDS)]
    yield "push of 1,000 new rows", [await _measure_push(mesh, sized) for _ in range(ROUNDS)]


async def _measure_push(mesh: Mesh, sized: Sized) -> float:
    load = await send_batches(
        sized.gateway.url, mesh.headers(PUSHING), first_number(), PUSHED_BATCHES, PASSES["new"]
    )
    return load.duration / PUSHED_BATCHES * 1000


async def _measure_by_connections(mesh: Mesh, count: int) -> list[float]:
    seconds = mesh.seconds(SECONDS)
    loads = [
        await saturate(mesh.address, mesh.verifications(), connections=count, seconds=seconds)
        for _ in range(ROUNDS)
    ]
    return [load.require_success().per_second for load in loads]


async def _measure_by_gateways(mesh: Mesh, count: int) -> list[float]:
    """Return the verifications a second of all gateways, which share the connections."""
    seconds = mesh.seconds(SECONDS)
    with ExitStack() as stack:
        gateways = [stack.enter_context(service("gateway")) for _ in range(count)]
        runs = []
        for _ in range(ROUNDS):
            loads = await asyncio.gather(
                *(
                    saturate(
                        each.address,
                        mesh.verifications(each.url),
                        connections=CONNECTIONS_OF_GATEWAYS // count,
                        seconds=seconds,
                    )
                    for each in gateways
                )
            )
            runs.append(sum(load.require_success().per_second for load in loads))
        return runs


def _list_cost_figures(by_cost: Mapping[str, Mapping[int, list[float]]]) -> list[Figure]:
    return [
        Figure(f"{cost}, {size:,} dossiers", "ms", runs, reference=sizes[min(sizes)])
        for cost, sizes in by_cost.items()
        for size, runs in sizes.items()
    ]


def _list_served_figures(served: Mapping[str, Mapping[int, list[float]]]) -> list[Figure]:
    return [
        Figure(f"verifications, {kind}: {count}", "1/s", runs, reference=counts[min(counts)])
        for kind, counts in served.items()
        for count, runs in counts.items()
    ]
