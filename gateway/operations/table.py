"""List all operations of the mesh; the gateway forwards no other one."""

import re
from collections.abc import Iterable, Mapping
from itertools import chain
from types import MappingProxyType

from gateway.operations.dossier import DOSSIER_OPERATIONS
from gateway.operations.identity import IDENTITY_OPERATIONS
from gateway.operations.ledger import LEDGER_OPERATIONS
from gateway.operations.model import Operation, Service, administer, administer_by_post
from gateway.operations.sync import SYNC_OPERATIONS


def _list_dead_letter_operations(service: Service) -> tuple[Operation, ...]:
    root = f"/{service}/v1/dead-letters"
    return (
        administer("GET", root, service),
        administer("GET", f"{root}/{{letter_id}}", service),
        administer("DELETE", f"{root}/{{letter_id}}", service),
        administer_by_post(f"{root}/{{letter_id}}/replay", service),
    )


def build_operation_table(operations: Iterable[Operation]) -> Mapping[str, Operation]:
    """Return the operations by name; raise ValueError for a deprecated one without a successor."""
    table = {operation.name: operation for operation in operations}
    for operation in table.values():
        if operation.deprecation:
            _require_successor(operation, operation.deprecation.successor, table)
    return MappingProxyType(table)


def _require_successor(
    operation: Operation, successor: str, table: Mapping[str, Operation]
) -> None:
    if successor not in table or table[successor].deprecation:
        raise ValueError(f"{operation.name}: name an operation to use instead, not {successor}")
    # The header Link names the successor of the resource that the call names.
    if not set(_PARAMETER.findall(successor)) <= set(_PARAMETER.findall(operation.template)):
        raise ValueError(f"{operation.name}: its path lacks a parameter of {successor}")


_PARAMETER = re.compile(r"\{\w+\}")
_ALL = (
    *IDENTITY_OPERATIONS,
    *DOSSIER_OPERATIONS,
    *SYNC_OPERATIONS,
    *LEDGER_OPERATIONS,
    *chain.from_iterable(map(_list_dead_letter_operations, Service)),
)

OPERATIONS = build_operation_table(_ALL)
