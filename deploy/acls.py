"""The rights of each service on the axis: it publishes to its topics and reads those it handles.

The copies of messages that it could not handle go to the `.dead` topics beside those. Its consumers
form one group of its own name. No other principal but the administrator may do anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from importlib import import_module
from importlib.util import find_spec

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest

from deploy.services import SERVICES
from shared.events import DEAD, OWNERS, LedgerAnchored

ANY_HOST = "*"
LITERAL = 3
ALLOW = 3


class Resource(IntEnum):
    """The numbers of Kafka's protocol."""

    TOPIC = 2
    GROUP = 3


class Operation(IntEnum):
    """The numbers of Kafka's protocol; READ and WRITE include DESCRIBE."""

    READ = 3
    WRITE = 4


@dataclass(frozen=True, order=True)
class Permission:
    """A principal has the name of its service."""

    service: str
    operation: Operation
    resource: Resource
    name: str


def list_permissions() -> list[Permission]:
    return sorted(permission for service in SERVICES for permission in _permissions_of(service))


def topics_handled(service: str) -> frozenset[str]:
    module = f"{service}.handlers"
    if not find_spec(module):
        return frozenset()
    return frozenset(event.topic for event in import_module(module).HANDLERS)


def _permissions_of(service: str) -> Iterator[Permission]:
    for topic, owner in OWNERS.items():
        if owner == service:
            yield Permission(service, Operation.WRITE, Resource.TOPIC, topic)
    for topic in (handled := topics_handled(service)):
        yield Permission(service, Operation.READ, Resource.TOPIC, topic)
        yield Permission(service, Operation.WRITE, Resource.TOPIC, topic + DEAD)
    if handled:
        yield Permission(service, Operation.READ, Resource.GROUP, service)
    if service == LedgerAnchored.publisher:
        # `gateway verify-ledger` compares the ledger with the anchors that it published.
        yield Permission(service, Operation.READ, Resource.TOPIC, LedgerAnchored.topic)


async def allow(admin: AIOKafkaAdminClient, permission: Permission) -> None:
    """Give it; one that was given before stays. Raises KafkaError where refused."""
    request = CreateAclsRequest(
        permission.resource,
        permission.name,
        LITERAL,
        f"User:{permission.service}",
        ANY_HOST,
        permission.operation,
        ALLOW,
    )
    # The library has the request, and no method for it.
    answer = await admin._send_to_controller(request)  # noqa: SLF001
    for code, *_ in answer.creation_responses:
        if code:
            raise for_code(code)(f"{permission} was refused")
