"""A task outside a group dies in silence, so decision 62 names each place that starts one."""

import ast
from collections.abc import Iterator

from tests.shape.sources import PACKAGES, Source, list_sources

STARTS = frozenset({"asyncio.create_task", "asyncio.ensure_future"})
OUTSIDE_A_GROUP = {
    "gateway/http1/connection.py",
    "gateway/proxy/bodies.py",
    "gateway/proxy/call.py",
    "shared/messaging/worker_notifier.py",
    "shared/runtime/worker.py",
    "shared/web/single_flight.py",
}


def _list_starts(source: Source) -> Iterator[int]:
    for node in ast.walk(ast.parse(source.text)):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in STARTS:
            yield node.lineno


def test_only_the_tasks_of_the_decision_stand_outside_a_group() -> None:
    found = {source.name for source in list_sources(*PACKAGES) if any(_list_starts(source))}
    assert found == OUTSIDE_A_GROUP, "start the task in a TaskGroup, or say why in decision 62"
