"""The CPU time that one operation takes in each process, beside a calibration of the same minute.

The operations take turns, and the loops of the calibration run between them: the other work of the
machine meets all of them. The medians of the rounds hold on a slower or a busy machine too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice

from deploy.bench.calibration import Calibration, mean, measure_loops
from deploy.bench.cpu import read_cpu_seconds, read_peak_mib
from deploy.bench.figures import Figure
from deploy.bench.load import LoadRequest, repeated, request, saturate
from deploy.bench.mesh import Mesh
from deploy.bench.nginx import find_nginx, nginx
from deploy.bench.paths import OTHER_CORE, PROXY_CORE
from deploy.bench.processes import Server, bound_to
from deploy.bench.proxies import gateway_before, saturate_proxy, upstream_server
from deploy.bench.statement_counter import count_statements
from deploy.bench.steps import run_steps
from deploy.bench.sync import PASSES, first_number, push
from deploy.bench.transitions import create_dossiers, moves
from deploy.bench.upstream import PATH
from deploy.dev_stack.record import read_record

ROUNDS, CONNECTIONS = 5, 16
# Counts instead of seconds: a busy machine does the same work, and only takes longer.
FILINGS = TRANSITIONS = LISTS = 200
VERIFICATIONS, PUSHED_BATCHES = 600, 4
# Each is moved twice in a round, to and fro, so that the rounds are alike.
MOVED_DOSSIERS = TRANSITIONS // 2
MAX_S, LOOK_S = 120.0, 0.05
PROXY_S = 1.2
# The only process that is not Python.
POSTGRES = "postgres"
# Their polling is a large share of their CPU time and grows with the seconds, so that it would
# count twice on a slower machine: without a reference they inform, and are not held.
POLLING = ("dossier-work", "sync-work")
VIEW = "SELECT count(*) FROM national_dossier"


@dataclass
class Operation:
    """`send` loads the stack and returns the number of operations done.

    `cpu_us` has the CPU time of an operation in each of these processes of the stack, a run for
    each round, and `loops` has the calibrations beside the runs.
    """

    name: str
    processes: tuple[str, ...]
    send: Callable[[], Awaitable[int]]
    cpu_us: dict[str, list[float]] = field(default_factory=dict)
    loops: list[Calibration] = field(default_factory=list)

    def figures(self) -> Iterator[Figure]:
        for process, runs in self.cpu_us.items():
            reference = [
                each.hash_us if process == POSTGRES else each.python_us for each in self.loops
            ]
            held = () if process in POLLING else reference
            yield Figure(f"CPU of {self.name}: {process}", "µs", runs, reference=held)


async def measure(mesh: Mesh) -> list[Figure]:
    return await run_steps([_measure_stack(mesh), _measure_proxies(mesh), _count_statements(mesh)])


async def _measure_stack(mesh: Mesh) -> list[Figure]:
    operations = await _list_operations(mesh)
    pids = _read_pids(mesh)
    for operation in operations:
        await operation.send()  # warms up
    loops = await measure_loops()
    for _ in range(ROUNDS):
        for operation in operations:
            await _measure_round(operation, pids)
            earlier, loops = loops, await measure_loops()
            operation.loops.append(mean([earlier, loops]))
    figures = [figure for operation in operations for figure in operation.figures()]
    peaks = [
        Figure(f"peak memory: {name}", "MiB", [read_peak_mib(pids[name])])
        for name in pids
        if name != POSTGRES
    ]
    return figures + peaks


async def _measure_round(operation: Operation, pids: Mapping[str, int]) -> None:
    before = {name: read_cpu_seconds(pids[name]) for name in operation.processes}
    count = await operation.send()
    for name in operation.processes:
        spent = read_cpu_seconds(pids[name]) - before[name]
        operation.cpu_us.setdefault(name, []).append(spent / count * 1e6)


async def _list_operations(mesh: Mesh) -> list[Operation]:
    filings, verifications = mesh.filings(), mesh.verifications()
    changes = moves(mesh, mesh.url, await create_dossiers(mesh, mesh.url, MOVED_DOSSIERS))
    headers = mesh.headers()
    dossiers = repeated(request("GET", f"{mesh.url}/dossier/v1/dossiers", headers))
    national = repeated(request("GET", f"{mesh.url}/sync/v1/dossiers", headers))
    return [
        Operation(
            "a filing",
            ("gateway-serve", "dossier-serve", "dossier-work", "sync-work", POSTGRES),
            lambda: _file_until_visible(mesh, filings),
        ),
        Operation(
            "a verification",
            ("gateway-serve", "identity-serve"),
            lambda: _send(mesh, verifications, VERIFICATIONS),
        ),
        Operation(
            "a transition",
            ("gateway-serve", "dossier-serve"),
            lambda: _send(mesh, changes, TRANSITIONS),
        ),
        Operation(
            "a list of dossiers",
            ("gateway-serve", "dossier-serve"),
            lambda: _send(mesh, dossiers, LISTS),
        ),
        Operation(
            "a national list", ("gateway-serve", "sync-serve"), lambda: _send(mesh, national, LISTS)
        ),
        Operation("a pushed batch", ("gateway-serve", "sync-serve", POSTGRES), lambda: _push(mesh)),
    ]


def _read_pids(mesh: Mesh) -> Mapping[str, int]:
    record = read_record(mesh.stack.directory)
    assert record
    return {name: child.pid for name, child in record.children.items()}


async def _send(mesh: Mesh, requests: Iterator[LoadRequest], count: int) -> int:
    run = await saturate(
        mesh.address,
        islice(requests, count),
        connections=CONNECTIONS,
        seconds=MAX_S,
        warm_up=0,
    )
    return len(run.require_success().seconds)


async def _file_until_visible(mesh: Mesh, requests: Iterator[LoadRequest]) -> int:
    """File, and wait until the workers have brought all dossiers to the national view."""
    async with mesh.database("sync_service") as connection:
        before = await connection.fetchval(VIEW)
        count = await _send(mesh, requests, FILINGS)
        async with asyncio.timeout(MAX_S):
            while await connection.fetchval(VIEW) < before + count:  # noqa: ASYNC110 -- the state is in other processes
                await asyncio.sleep(LOOK_S)
    return count


async def _push(mesh: Mesh) -> int:
    load = await push(mesh, mesh.url, first_number(), PUSHED_BATCHES, PASSES["new"])
    return len(load.seconds)


async def _measure_proxies(mesh: Mesh) -> list[Figure]:
    """Measure the gateway and nginx in turns on the null upstream."""
    cpu_us: dict[str, list[float]] = {}
    loops: list[float] = []
    with ExitStack() as stack:
        behind = stack.enter_context(upstream_server("null"))
        proxies: dict[str, Server] = {"gateway": stack.enter_context(gateway_before(behind))}
        if find_nginx():
            proxies["nginx"] = stack.enter_context(nginx(behind.port, PROXY_CORE))
        stack.enter_context(bound_to(OTHER_CORE))
        for _ in range(ROUNDS):
            for name, proxy in proxies.items():
                sent = repeated(request("GET", f"{proxy.url}{PATH}", mesh.headers()))
                _, spent = await saturate_proxy(proxy, sent, CONNECTIONS, PROXY_S)
                cpu_us.setdefault(name, []).append(spent)
            loops.append((await measure_loops()).python_us)
    title = "CPU of a request on the null upstream"
    figures = [Figure(f"{title}: gateway", "µs", cpu_us["gateway"], reference=loops)]
    if "nginx" in cpu_us:
        figures += [
            Figure(f"{title}: nginx", "µs", cpu_us["nginx"]),
            Figure(
                f"{title}: gateway to nginx", "µs", cpu_us["gateway"], reference=cpu_us["nginx"]
            ),
        ]
    return figures


async def _count_statements(mesh: Mesh) -> list[Figure]:
    changes = moves(mesh, mesh.url, await create_dossiers(mesh, mesh.url, MOVED_DOSSIERS))
    writes = {"a filing": mesh.filings(), "a transition": changes}
    return [
        Figure(f"SQL of {name}", "statements", [await count_statements(mesh, requests)])
        for name, requests in writes.items()
    ]
