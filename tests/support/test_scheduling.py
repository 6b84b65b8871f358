"""Tests run once, files stay whole, and the closing unit waits for all other workers."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from xdist.workermanage import WorkerController

from tests.support.scheduling import LONGEST_FIRST, FileScheduling, find_unit

ROOT = Path(__file__).parents[2]
FILES = [f"tests/{package}/test_{name}.py" for package in ("dossier", "sync") for name in "abcd"]
NODEIDS = [f"{file}::test_{number}[x@y]" for file in FILES for number in range(3)]
MESH = [f"tests/e2e/test_{name}.py::test_it" for name in "ab"]
LONG = [f"{unit}::test_it" for unit in LONGEST_FIRST if unit.endswith(".py")]
CLOSING = [f"tests/e2e/test_discretion.py::test_{number}" for number in range(2)]


@dataclass(eq=False)
class FakeWorker:
    """A worker that holds its last test back until it has the next one, as those of xdist do."""

    gateway: SimpleNamespace
    queue: list[int] = field(default_factory=list)
    shutting_down: bool = False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.queue += indices

    def shutdown(self) -> None:
        self.shutting_down = True

    def next_test(self) -> int | None:
        may_run = self.queue and (len(self.queue) > 1 or self.shutting_down)
        return self.queue.pop(0) if may_run else None


def _run(count: int, nodeids: list[str]) -> list[tuple[int, str, int]]:
    """Return, for each test in its order, the worker, the test and the number of workers then."""
    config = SimpleNamespace(getvalue=lambda _: [f"{count}*popen"])
    scheduling = FileScheduling(cast("pytest.Config", config))
    workers = [FakeWorker(SimpleNamespace(id=f"gw{number}")) for number in range(count)]
    nodes = [cast("WorkerController", worker) for worker in workers]
    for node in nodes:
        scheduling.add_node(node)
        scheduling.add_node_collection(node, nodeids)
    scheduling.schedule()
    ran: list[tuple[int, str, int]] = []
    while scheduling.nodes:
        before = len(ran), len(scheduling.nodes)
        for number, (node, worker) in enumerate(zip(nodes, workers, strict=True)):
            test = worker.next_test()
            if test is not None:
                ran.append((number, nodeids[test], len(scheduling.nodes)))
                scheduling.mark_test_complete(node, test)
            elif worker.shutting_down and node in scheduling.nodes:
                assert scheduling.remove_node(node) is None
        assert (len(ran), len(scheduling.nodes)) != before, "all workers wait for another"
    return ran


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 9])
@pytest.mark.parametrize(
    "nodeids",
    [NODEIDS + MESH + CLOSING, NODEIDS, CLOSING, CLOSING + MESH, LONG, LONG + NODEIDS + CLOSING],
)
def test_each_test_runs_once_and_a_unit_on_one_worker(workers: int, nodeids: list[str]) -> None:
    ran = _run(workers, nodeids)
    assert sorted(test for _, test, _ in ran) == sorted(nodeids)
    for unit in map(find_unit, nodeids):
        assert len({worker for worker, test, _ in ran if find_unit(test) == unit}) == 1


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_closing_unit_runs_alone_at_the_end_on_the_worker_of_the_mesh(workers: int) -> None:
    ran = _run(workers, CLOSING + NODEIDS + MESH)
    [mesh] = {worker for worker, test, _ in ran if test in MESH}
    assert ran[-2:] == [(mesh, test, 1) for test in CLOSING]


def test_longest_unit_begins_first_and_workers_keep_to_folders() -> None:
    ran = _run(3, NODEIDS + MESH)
    assert MESH[0] in [test for _, test, _ in ran[:3]]
    for worker, folder in ((1, "tests/dossier/"), (2, "tests/sync/")):
        own = [test for number, test, _ in ran if number == worker]
        assert all(test.startswith(folder) for test in own[:6])


def test_no_long_unit_waits_for_another_while_short_ones_remain() -> None:
    ran = _run(len(LONG), NODEIDS + LONG)
    first = {worker: test for worker, test, _ in reversed(ran)}
    assert sorted(first.values()) == sorted(LONG)


@pytest.mark.parametrize("file", [unit for unit in LONGEST_FIRST if unit.endswith(".py")])
def test_long_unit_leaves_the_database_server_to_the_fixtures_of_others(file: str) -> None:
    assert "server.stop" not in (ROOT / file).read_text(encoding="utf-8")
