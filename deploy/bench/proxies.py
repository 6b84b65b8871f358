"""Gateway against plain nginx: the same upstream, the same core, one after the other, in turns.

On two cores the sender of the load shares the other core with the upstream. Where that one is the
limit, the ratio flatters the gateway; the CPU that each proxy spends on a request does not.
"""

from collections.abc import Awaitable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from deploy.bench.figures import Figure
from deploy.bench.load import MEBIBYTE, Outcome, Request, at_rate, repeated, request, saturate
from deploy.bench.load_results import latencies, sender
from deploy.bench.mesh import ONE_STOP, ONE_STOP_AGENCY, PYTHON, Mesh
from deploy.bench.nginx import binary, nginx
from deploy.bench.paths import OTHER_CORE, PROXY_CORE
from deploy.bench.processes import TRUSTING, Server, bound_to, server, service
from deploy.bench.steps import in_turn
from deploy.bench.streaming import streaming
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
    """What one proxy did in its turns, and the CPU it spent on a request, in microseconds."""

    saturated: list[Outcome] = field(default_factory=list)
    at_half: list[Outcome] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    @property
    def speeds(self) -> list[float]:
        return [run.require_success().per_second for run in self.saturated]


async def measure(mesh: Mesh) -> list[Figure]:
    if not binary():
        print("nginx is not installed: the comparison with it is left out")
    upstreams = dict.fromkeys(case.upstream for case in CASES)
    return await in_turn(_behind(mesh, upstream) for upstream in upstreams)


async def _behind(mesh: Mesh, upstream: str) -> list[Figure]:
    """All cases of one upstream."""
    with ExitStack() as stack:
        behind = stack.enter_context(_upstream(upstream))
        gateway = stack.enter_context(
            service(
                "gateway",
                core=PROXY_CORE,
                DOSSIER_URL=behind.url,
                SYNC_URL=behind.url,
                # One client sends all of the load.
                CLIENT_SHARE=ONE_CLIENT_SHARE,
            )
        )
        stack.enter_context(bound_to(OTHER_CORE))
        steps: list[Awaitable[list[Figure]]] = []
        if upstream == "null":
            steps.append(streaming(mesh, gateway))
        if binary():
            plain = stack.enter_context(nginx(behind.port, PROXY_CORE))
            proxies = {"nginx": plain, "gateway": gateway}
            steps += [_compare(mesh, case, proxies) for case in CASES if case.upstream == upstream]
        return await in_turn(steps)


@contextmanager
def _upstream(name: str) -> Iterator[Server]:
    if name not in UPSTREAMS:
        # nginx sends one request again and again, which no service would take for proved.
        with service(name, core=OTHER_CORE, program=TRUSTING) as own:
            yield own
        return
    port = free_port()
    command = [PYTHON, *UPSTREAMS[name], "--port", str(port), "--no-access-log"]
    with server(name, command, port, "/healthz", core=OTHER_CORE) as started:
        yield started


async def _compare(mesh: Mesh, case: Case, proxies: Mapping[str, Server]) -> list[Figure]:
    seconds = mesh.seconds(SECONDS)
    turns = {name: Turns() for name in proxies}
    sent = {name: _requests(mesh, case, name, proxy) for name, proxy in proxies.items()}
    for _ in range(ROUNDS):
        for name, proxy in proxies.items():
            before = proxy.cpu_seconds()
            run = await saturate(
                proxy.address, sent[name], connections=case.connections, seconds=seconds, warm_up=0
            )
            spent = proxy.cpu_seconds() - before
            turns[name].saturated.append(run.require_success())
            turns[name].cpu_us.append(spent / len(run.seconds) * 1e6)
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
    return list(_figures(case, turns["gateway"], turns["nginx"]))


def _requests(mesh: Mesh, case: Case, proxy: str, server: Server) -> Iterator[Request]:
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


def _figures(case: Case, gateway: Turns, plain: Turns) -> Iterator[Figure]:
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
