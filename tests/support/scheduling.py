"""How pytest-xdist hands the tests to its workers.

A worker takes whole files, because a file shares fixtures. Files that share a server of the whole
session are one unit, so that it is started once. The tests that look at the traces of all others
run on one worker after the others have ended.
"""

from collections.abc import Iterable

from xdist.scheduler.loadscope import LoadScopeScheduling
from xdist.workermanage import WorkerController

MESH, PROXY, LAST = "mesh", "proxy", "last"
# The files that do not run by themselves: they share a server, or count on each other's order.
UNITS = {
    "tests/e2e/test_discretion.py": LAST,
    "tests/deploy/test_watch.py": MESH,
    "tests/e2e/": MESH,
    "tests/faults/test_invariants.py": MESH,
    "tests/faults/test_kills.py": MESH,
    "tests/proxy/": PROXY,
}
# The longest units in their order. Started late, one of them would be waited for while the other
# workers idle. A worker runs them between the files of another folder, so none may stop the
# database server: fixtures that the files of that folder share would lose their connections.
LONGEST_FIRST = (
    MESH,
    "tests/fuzz/test_identity_api.py",
    PROXY,
    "tests/fuzz/test_dossier_api.py",
    "tests/fuzz/test_gateway_api.py",
    "tests/shared/messaging/test_kills.py",
)
# A worker starts a test only when it has the next one, for which it keeps fixtures.
PENDING_TESTS = 2


def find_unit(nodeid: str) -> str:
    """Return the unit of a test: a name of `UNITS`, or its file."""
    return next(
        (unit for path, unit in UNITS.items() if nodeid.startswith(path)),
        nodeid.partition("::")[0],
    )


class FileScheduling(LoadScopeScheduling):
    """Hand out units: the longest first, then those of the folder that a worker is busy with."""

    def _split_scope(self, nodeid: str) -> str:
        return find_unit(nodeid)

    def schedule(self) -> None:
        if self.collection is None:
            if not self._check_nodes_have_same_collection():
                return
            self.collection = list(next(iter(self.registered_collections.values())))
            self._queue_units(self.collection)
        for node in self.nodes:
            self._reschedule(node)

    def remove_node(self, node: WorkerController) -> str | None:
        crashed = super().remove_node(node)
        for other in self.nodes:
            self._reschedule(other)
        return crashed

    def _queue_units(self, nodeids: Iterable[str]) -> None:
        units: dict[str, dict[str, bool]] = {}
        for nodeid in nodeids:
            units.setdefault(self._split_scope(nodeid), {})[nodeid] = False
        ranks = {scope: rank for rank, scope in enumerate(LONGEST_FIRST)}
        for scope in sorted(units, key=lambda scope: ranks.get(scope, len(ranks))):
            self.workqueue[scope] = units[scope]

    def _reschedule(self, node: WorkerController) -> None:
        while not node.shutting_down:
            if self._pending_of(self.assigned_work[node]) >= PENDING_TESTS:
                return
            scope = self._find_next(node)
            if scope is not None:
                self._assign(scope, node)
            elif self.workqueue and node is self._find_keeper():
                if len(self.nodes) > 1:
                    return  # until the others have ended
                self._assign(LAST, node)
            else:
                node.shutdown()

    def _assign(self, scope: str, node: WorkerController) -> None:
        self.workqueue.move_to_end(scope, last=False)
        self._assign_work_unit(node)

    def _find_next(self, node: WorkerController) -> str | None:
        """Return the unit that the worker runs next, without the one of the end."""
        scopes = [scope for scope in self.workqueue if scope != LAST]
        long = [scope for scope in scopes if scope in LONGEST_FIRST]
        short = [scope for scope in scopes if scope not in LONGEST_FIRST]
        if long and not (short and self._is_in_long_unit(node)):
            return long[0]
        own = {_folder(scope) for scope in self.assigned_work[node]}
        busy = {_folder(scope) for units in self.assigned_work.values() for scope in units}
        at_hand = (scope for scope in short if _folder(scope) in own)
        untouched = (scope for scope in short if _folder(scope) not in busy)
        return next(at_hand, None) or next(untouched, None) or next(iter(short), None)

    def _is_in_long_unit(self, node: WorkerController) -> bool:
        """Return whether another long unit would wait for the one that the worker is in.

        A unit of one test comes with a second unit, because the worker needs the next test.
        """
        work = self.assigned_work[node]
        return any(not all(work[scope].values()) for scope in work if scope in LONGEST_FIRST)

    def _find_keeper(self) -> WorkerController:
        """Return the worker that runs the end: it has the mesh at which the last tests look."""
        nodes = self.nodes
        return next((node for node in nodes if MESH in self.assigned_work[node]), nodes[0])


def _folder(scope: str) -> str:
    """Return `tests/<package>`."""
    return "/".join(scope.split("/")[:2])
