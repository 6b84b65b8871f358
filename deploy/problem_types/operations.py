"""Find the operations that answer with a problem: those whose code reaches its class."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from http import HTTPStatus
from types import MappingProxyType

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from deploy.problem_types.raised import find_problems
from deploy.schemas import build_application
from deploy.services import SERVICES
from gateway.access.authorization import Authorizer
from gateway.access.rate_limits import Quotas
from gateway.ledger.problems import LedgerAway
from gateway.ledger.writer import LedgerWriter
from gateway.operations.model import Operation, Service
from gateway.operations.table import OPERATIONS
from gateway.proxy.call import Call
from gateway.proxy.forwarder import Forwarder
from gateway.proxy.local_routes import LocalDispatcher
from gateway.proxy.problems import (
    BodyTooSlow,
    MemoryShareTaken,
    MemoryTaken,
    MethodRefused,
    SlotsTaken,
    SubjectNotNamed,
    UpstreamAway,
    UpstreamBroke,
    UpstreamBusy,
    UpstreamRefusesCalls,
    UpstreamTimedOut,
)
from gateway.purposes.problems import PurposeMissing
from gateway.purposes.registry import PurposeRegistry
from identity_service.clients.problems import ClientNotProven
from shared.web import problems
from shared.web.bodies.large_bodies import LARGE_BYTES, LargeBodiesUnderWay, OwnLargeBodiesUnderWay
from shared.web.calls.auth import Unauthenticated
from shared.web.problems import Problem, Unavailable

# The parts of the gateway that every call passes.
_ENTRANCE = (Forwarder, LocalDispatcher, Call, Authorizer, PurposeRegistry, Quotas, LedgerWriter)
# Code that every route reaches can answer these; an operation does where its document says so.
_DOCUMENTED_STATUSES = frozenset(
    {HTTPStatus.PRECONDITION_FAILED, HTTPStatus.UNSUPPORTED_MEDIA_TYPE}
)


def _is_forwarded(operation: Operation) -> bool:
    return operation.service is not Service.GATEWAY


def _takes_body(operation: Operation) -> bool:
    return operation.body_limit > 0


def _takes_large_body(operation: Operation) -> bool:
    return operation.body_limit > LARGE_BYTES


# These concern a part of the operations, which the code decides by properties of the operation.
_CONDITIONS: Mapping[type[Problem], Callable[[Operation], bool]] = MappingProxyType(
    {
        **dict.fromkeys((MemoryTaken, MemoryShareTaken, BodyTooSlow), _takes_body),
        **dict.fromkeys((LargeBodiesUnderWay, OwnLargeBodiesUnderWay), _takes_large_body),
        **dict.fromkeys(
            (
                SlotsTaken,
                UpstreamAway,
                UpstreamBroke,
                UpstreamBusy,
                UpstreamRefusesCalls,
                UpstreamTimedOut,
            ),
            _is_forwarded,
        ),
        ClientNotProven: lambda operation: operation.credentials,
        LedgerAway: lambda operation: operation.recorded,
        MethodRefused: lambda _: False,
        PurposeMissing: lambda operation: operation.personal,
        Unauthenticated: lambda operation: not operation.public,
        SubjectNotNamed: lambda operation: operation.personal,
    }
)


def find_operations() -> Mapping[str, set[str]]:
    """Return the names of the operations by the type of the problem that they answer with."""
    applications = map(build_application, SERVICES)
    reached = [pair for app in applications for pair in _list_route_problems(app)]
    entrance = find_problems(_ENTRANCE) - find_problems([problems.find_problem]) | {Unavailable}
    reached += [(operation, problem) for operation in OPERATIONS.values() for problem in entrance]
    found: dict[str, set[str]] = defaultdict(set)
    for operation, problem in reached:
        if _can_be_refused(operation, problem):
            found[problem.type].add(operation.name)
    return found


def _list_route_problems(app: FastAPI) -> Iterator[tuple[Operation, type[Problem]]]:
    """Yield each operation of a service with each problem that its route can raise."""
    paths = app.openapi()["paths"]
    handlers = (problems.find_problem, problems.install_handlers)
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute):
            continue
        handle = type(route).get_route_handler
        reached = find_problems((route.endpoint, *route.dependencies, handle, *handlers))
        for method in route.methods or ():
            operation = OPERATIONS.get(f"{method} {route.path}")
            if operation:
                responses = paths[route.path][method.lower()]["responses"]
                yield from ((operation, p) for p in reached if _is_answered(p, responses))


def _is_answered(problem: type[Problem], responses: Collection[str]) -> bool:
    return problem.status not in _DOCUMENTED_STATUSES or str(problem.status.value) in responses


def _can_be_refused(operation: Operation, problem: type[Problem]) -> bool:
    if operation.public and problem.status == HTTPStatus.FORBIDDEN:
        return False
    condition = _CONDITIONS.get(problem)
    return condition is None or condition(operation)
