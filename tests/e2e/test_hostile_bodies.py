"""Work and answer are bounded by constants, whichever body of the permitted size is sent."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from deploy.child import cpu_seconds
from gateway.upstreams import Operation
from tests.e2e.hostile import hostile_bodies
from tests.e2e.operations import DOSSIER, GOOD, WITH_BODY, body_shape
from tests.mesh import Mesh

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

KIB, MIB = 1024, 1024 * 1024
MAX_ANSWER = 64 * KIB
MAX_ANSWER_PER_ROW = KIB
# Seconds of CPU, not of the clock, which would count the work of others on the machine too. Far
# above the work of a bounded body, far below the 14 s without a bound.
MAX_WORK_CPU_S = 5.0
MAX_STALL_CPU_S = 2.0
# Of a new dossier or a push, more than this only takes longer to send.
MUCH = 256 * KIB
COMPOSE = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text())
PUSHES = ("POST /sync/v1/dossiers", "POST /sync/v1/progress")


@pytest.fixture(scope="module")
def http(mesh: Mesh) -> Iterator[httpx.Client]:
    with calling_as(mesh, "operator-vpcp") as client:
        yield client


@contextmanager
def calling_as(mesh: Mesh, client_id: str) -> Iterator[httpx.Client]:
    headers = {**mesh.sign_in(client_id), "If-Match": '"999"'}
    headers["Content-Type"] = "application/json"
    with httpx.Client(base_url=mesh.gateway, headers=headers, timeout=120.0) as client:
        yield client


def test_each_operation_with_a_body_is_tried() -> None:
    assert {each.name for each in WITH_BODY} == set(GOOD)


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda each: each.name)
def test_whichever_body_is_sent_is_answered_shortly_and_soon(
    mesh: Mesh, http: httpx.Client, operation: Operation
) -> None:
    shape, wrong = body_shape(operation), {}
    assert shape
    path = operation.template.format(code=DOSSIER, client_id="onestop-h26")
    with watching(mesh, operation.service.value) as watched:
        size = min(operation.body_limit, MUCH)
        for hostile in hostile_bodies(shape, GOOD[operation.name], size):
            pushed = operation.name in PUSHES
            _, fault = _send(http, path, hostile.body, watched=watched, pushed=pushed)
            if fault:
                wrong[hostile.name] = fault
    assert wrong == {}
    assert watched.longest_cpu_s < MAX_STALL_CPU_S


# The largest body there is, in the ways that cost the most, and its answer once it was read: rows
# that are texts, or have long ones, are refused one by one. Two clients send each at once.
COSTLY = {
    "unknown members": 422,
    "a list of objects": 422,
    "rows: objects": 422,
    "rows: wide texts": 200,
    "rows: objects of many members": 422,
    "rows.[].title: a long text in escapes": 200,
}
PUSHING = ("operator-vpcp", "external-h41")
LATER = {429, 503}
# Each waits for at most all others.
TRIES = 2 * len(COSTLY)


def test_largest_pushes_stop_nobody_and_keep_to_the_memory_of_their_container(mesh: Mesh) -> None:
    [operation] = [each for each in WITH_BODY if each.name == PUSHES[0]]
    shape = body_shape(operation)
    assert shape
    costly = {each.name: each.body for each in hostile_bodies(shape, GOOD[PUSHES[0]], 8 * MIB)
              if each.name in COSTLY}  # fmt: skip
    assert set(costly) == set(COSTLY)
    with watching(mesh, "sync") as watched, ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        clients = [stack.enter_context(calling_as(mesh, each)) for each in PUSHING]
        pushes = {
            (name, client): pool.submit(_push, http, operation.template, costly[name], watched)
            for name in COSTLY
            for client, http in zip(PUSHING, clients, strict=True)
        }
        ends = {push: answered.result() for push, answered in pushes.items()}
    # None is only refused for the bodies before it: each was read.
    assert ends == {push: (COSTLY[push[0]], None) for push in pushes}
    assert watched.longest_cpu_s < MAX_STALL_CPU_S


@pytest.mark.parametrize("service", ["identity", "dossier", "sync", "gateway"])
def test_no_process_has_grown_past_its_container(mesh: Mesh, service: str) -> None:
    """Runs after the others of this module."""
    limit = COMPOSE["services"][service]["mem_limit"]
    for process in mesh.processes(f"{service}-serve"):
        status = Path(f"/proc/{process.pid}/status").read_text()
        [peak] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
        assert int(peak) / KIB < int(limit.removesuffix("m")), process.name()


def _push(http: httpx.Client, path: str, body: bytes, watched: "Watched") -> tuple[int, str | None]:
    """Send it until there is room for it; return the last status, and what is wrong if anything."""
    for _ in range(TRIES):
        answer, fault = _send(http, path, body, watched=watched, pushed=True)
        if answer.status_code not in LATER:
            break
        time.sleep(int(answer.headers["Retry-After"]))
    return answer.status_code, fault


def _send(
    http: httpx.Client, path: str, body: bytes, *, watched: "Watched", pushed: bool
) -> tuple[httpx.Response, str | None]:
    """Send it; return the answer, and what is wrong with it if anything."""
    before = watched.cpu_s
    answer = http.post(path, content=body)
    return answer, _fault_of(answer, path, watched.cpu_s - before, pushed=pushed)


def _fault_of(answer: httpx.Response, path: str, cpu_s: float, *, pushed: bool) -> str | None:
    rows = len(answer.json().get("results", ())) if pushed else 0
    if cpu_s > MAX_WORK_CPU_S:
        return f"took {cpu_s:.1f} s of CPU"
    if len(answer.content) > MAX_ANSWER + rows * MAX_ANSWER_PER_ROW:
        return f"answered {len(answer.content)} bytes"
    expected = {400, 404, 413, 422}
    expected |= {200} if pushed else set()
    # RFC 7517 lets a key have members that nobody knows; they are not kept.
    expected |= {201, 202, 409} if path.endswith("/keys") else set()
    if answer.status_code not in expected:
        return f"answered {answer.status_code}"
    faults = answer.json().get("errors", ())
    return f"named {len(faults)} faults" if len(faults) > 20 else None


@dataclass
class Watched:
    """`longest_cpu_s` is the most work that a service did before it answered a call beside it."""

    processes: Sequence[psutil.Process]
    longest_cpu_s: float = 0.0

    @property
    def cpu_s(self) -> float:
        return cpu_seconds(self.processes)


@contextmanager
def watching(mesh: Mesh, service: str) -> Iterator[Watched]:
    """Call the service again and again meanwhile."""
    watched, ended = Watched(mesh.processes(f"{service}-serve")), threading.Event()

    def watch() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{mesh.port(service)}") as client:
            while not ended.wait(0.02):
                before = watched.cpu_s
                client.get("/healthz", timeout=120.0).raise_for_status()
                spent = watched.cpu_s - before
                watched.longest_cpu_s = max(watched.longest_cpu_s, spent)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield watched
    finally:
        ended.set()
        thread.join()
        print(service, "longest stall", round(watched.longest_cpu_s, 3))  # noqa: T201
