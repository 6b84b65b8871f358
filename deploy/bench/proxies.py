"""Gateway against plain nginx: the same upstream, the same core, one after the other, in turns.

On two cores the sender of the load shares the other core with the upstream. Where that one is the
limit, the ratio flatters the gateway; the CPU that each proxy spends on a request does not.
"""

from collections.abc import Awaitable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

from deploy.bench.figures import Figure
from deploy.bench.load import (
    MEBIBYTE,
    LoadRequest,
    LoadResult,
    at_rate,
    repeated,
    request,
    saturate,
)
from deploy.bench.load_results import latencies, sender
from deploy.bench.mesh import ONE_STOP, ONE_STOP_AGENCY, PYTHON, Mesh
from deploy.bench.nginx import find_nginx, nginx
from deploy.bench.paths import OTHER_CORE, PROXY_CORE
from deploy.bench.processes import TRUSTING, Server, bound_to, server, service
from deploy.bench.steps import run_steps
from deploy.bench.streaming import measure_streaming
from deploy.bench.upstream import PATH
from deploy.ports import free_port

SECONDS, ROUNDS = 1.5, 3
# The gateway refuses the 257th call that is under way to one service, instead of queuing it.
FEW, MANY = 32, 240
# With 240 calls of one client under way, 16 of the 256 slots are free.
ONE_CLIENT_SHARE = "16"
KIBIBYTE = 1024
OPERATION = "GET /dossier/v1/procedures/{code}"
UPSTREAMS: Mapping[str, list[str]] = {
    "null": ["-m", "granian", "deploy.bench.upstream:null", "--interface", "asgi"],
    "FastAPI": ["-m", "uvicorn", "deploy.bench.upstream:fastapi", "--factory"],
}


@dataclass(frozen=True)
class Case:
    upstream: str
    size: int
    connections: int
    aim: float | None = None
    added_aim: float | None = None

    @property
    def name(self) -> str:
        body = "1 MiB" if self.size == MEBIBYTE else "1 KiB"
        return f"{self.upstream} upstream, {body}, {self.connections} connections"


CASES = (
    Case("FastAPI", KIBIBYTE, FEW, aim=0.8, added_aim=2.0),
    Case("FastAPI", KIBIBYTE, MANY),
    Case("null", KIBIBYTE, FEW, aim=0.3),
    Case("null", KIBIBYTE, MANY),
    Case("null", MEBIBYTE, FEW),
    Case("FastAPI", MEBIBYTE, FEW),
    # Its own answer, of 2 KiB; nginx passes the right on that the gateway would have signed.
    Case("dossier_service", KIBIBYTE, FEW),
)


@dataclass
class Turns:
    """The outcomes of one proxy in its turns, and its CPU time for a request in microseconds."""

    saturated: list[LoadResult] = field(default_factory=list)
    at_half: list[LoadResult] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    @property
    def speeds(self) -> list[float]:
        return [run.require_success().per_second for run in self.saturated]


async def measure(mesh: Mesh) -> list[Figure]:
    if not find_nginx():
        print("nginx is not installed: the comparison with it is left out")
    upstreams = dict.fromkeys(case.upstream for case in CASES)
    return await run_steps(_measure_upstream(mesh, upstream) for upstream in upstreams)


async def _measure_upstream(mesh: Mesh, upstream: str) -> list[Figure]:
    """Measure all cases of one upstream."""
    with ExitStack() as stack:
        behind = stack.enter_context(upstream_server(upstream))
        gateway = stack.enter_context(gateway_before(behind))
        stack.enter_context(bound_to(OTHER_CORE))
        steps: list[Awaitable[list[Figure]]] = []
        if upstream == "null":
            steps.append(measure_streaming(mesh, gateway))
        if find_nginx():
            plain = stack.enter_context(nginx(behind.port, PROXY_CORE))
            proxies = {"nginx": plain, "gateway": gateway}
            steps += [
                _compare_proxies(mesh, case, proxies) for case in CASES if case.upstream == upstream
            ]
        return await run_steps(steps)


def gateway_before(upstream: Server) -> AbstractContextManager[Server]:
    """Start a gateway on the core of the proxies, one client of which may send all of the load."""
    return service(
        "gateway",
        core=PROXY_CORE,
        DOSSIER_URL=upstream.url,
        SYNC_URL=upstream.url,
        CLIENT_SHARE=ONE_CLIENT_SHARE,
    )


@contextmanager
def upstream_server(name: str) -> Iterator[Server]:
    if name not in UPSTREAMS:
        # nginx sends one request again and again, which no service would take for proved.
        with service(name, core=OTHER_CORE, program=TRUSTING) as own:
            yield own
        return
    port = free_port()
    command = [PYTHON, *UPSTREAMS[name], "--port", str(port), "--no-access-log"]
    with server(name, command, port, "/healthz", core=OTHER_CORE) as started:
        yield started


async def measure_nginx(mesh: Mesh) -> float | None:
    """Return the CPU time of a request on the null upstream, or None where nginx is missing."""
    if not find_nginx():
        return None
    with upstream_server("null") as behind, nginx(behind.port, PROXY_CORE) as plain:
        sent = repeated(request("GET", f"{plain.url}{PATH}", mesh.headers()))
        _, cpu_us = await saturate_proxy(plain, sent, FEW, mesh.seconds(SECONDS))
    return cpu_us


async def saturate_proxy(
    proxy: Server, sent: Iterator[LoadRequest], connections: int, seconds: float
) -> tuple[LoadResult, float]:
    """Return the outcome, and the CPU time of the proxy for a request in microseconds."""
    before = proxy.cpu_seconds()
    run = await saturate(proxy.address, sent, connections=connections, seconds=seconds, warm_up=0)
    spent = proxy.cpu_seconds() - before
    return run.require_success(), spent / len(run.seconds) * 1e6


async def _compare_proxies(mesh: Mesh, case: Case, proxies: Mapping[str, Server]) -> list[Figure]:
    seconds = mesh.seconds(SECONDS)
    turns = {name: Turns() for name in proxies}
    sent = {name: _make_requests(mesh, case, name, proxy) for name, proxy in proxies.items()}
    for _ in range(ROUNDS):
        for name, proxy in proxies.items():
            run, cpu_us = await saturate_proxy(proxy, sent[name], case.connections, seconds)
            turns[name].saturated.append(run)
            turns[name].cpu_us.append(cpu_us)
        # The same load for both, or the slower proxy would be asked for less.
        half = turns["gateway"].speeds[-1] / 2
        for name, proxy in proxies.items():
            run = await at_rate(
                proxy.address,
                sent[name],
                rate=half,
                connections=case.connections,
                seconds=seconds,
                warm_up=seconds / 4,
            )
            turns[name].at_half.append(run.require_success())
    return list(_list_figures(case, turns["gateway"], turns["nginx"]))


def _make_requests(mesh: Mesh, case: Case, proxy: str, server: Server) -> Iterator[LoadRequest]:
    if case.upstream in UPSTREAMS:
        target, headers = f"{server.url}{PATH}?size={case.size}", mesh.headers()
    else:
        target = f"{server.url}{PATH}"
        plain = proxy == "nginx"
        headers = (
            mesh.inner_headers(ONE_STOP, ONE_STOP_AGENCY, OPERATION, case.upstream)
            if plain
            else mesh.headers()
        )
    return repeated(request("GET", target, headers))


def _list_figures(case: Case, gateway: Turns, plain: Turns) -> Iterator[Figure]:
    name = case.name
    ratios = [ours / theirs for ours, theirs in zip(gateway.speeds, plain.speeds, strict=True)]
    yield Figure(f"gateway / nginx: {name}", "ratio", ratios, case.aim)
    yield Figure(f"nginx: {name}", "1/s", plain.speeds)
    yield Figure(f"gateway: {name}", "1/s", gateway.speeds, reference=plain.speeds)
    yield Figure(f"nginx: {name}: CPU of a request", "µs", plain.cpu_us)
    yield Figure(f"gateway: {name}: CPU of a request", "µs", gateway.cpu_us, reference=plain.cpu_us)
    pairs = zip(gateway.at_half, plain.at_half, strict=True)
    added = [ours.ms(0.5) - theirs.ms(0.5) for ours, theirs in pairs]
    yield Figure(f"added p50 at half load: {name}", "ms", added, case.added_aim)
    yield from latencies(f"nginx at half load: {name}", plain.at_half)
    yield from latencies(f"gateway at half load: {name}", gateway.at_half)
    yield sender(name, [*gateway.saturated, *plain.saturated])
