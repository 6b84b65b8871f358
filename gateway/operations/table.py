"""List all operations of the mesh; the gateway forwards no other one."""

from collections.abc import Mapping
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


_ALL = (
    *IDENTITY_OPERATIONS,
    *DOSSIER_OPERATIONS,
    *SYNC_OPERATIONS,
    *LEDGER_OPERATIONS,
    *chain.from_iterable(map(_list_dead_letter_operations, Service)),
)

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {operation.name: operation for operation in _ALL}
)
