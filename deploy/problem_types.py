"""Write the types of problems that the gateway shows at /problems.

`python -m deploy.problem_types` runs it.

Title, status, meaning (the docstring) and advice are those of the classes; the operations are those
whose code reaches a class, as `deploy.raised_problems` finds it.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from http import HTTPStatus
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from pkgutil import walk_packages
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from deploy.raised_problems import PACKAGES, find_problems
from deploy.schemas import build_application
from deploy.services import SERVICES
from gateway.access.authorization import Authorizer
from gateway.access.rate_limits import Quotas
from gateway.api_docs.problem_pages import EVERY
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

FILE = Path(__file__).parents[1] / "gateway/api_docs/data/problems.json"
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


def list_problem_classes() -> Iterator[type[Problem]]:
    """Yield the class of every expected error of the project that has a type of its own."""
    for name in PACKAGES:
        for module in walk_packages(import_module(name).__path__, f"{name}."):
            if "migrations" not in module.name and not module.name.endswith("__main__"):
                import_module(module.name)
    for problem in _list_subclasses(Problem):
        if problem.__module__.partition(".")[0] in PACKAGES and problem.type != Problem.type:
            yield problem


def _list_subclasses(parent: type[Problem]) -> Iterator[type[Problem]]:
    for child in parent.__subclasses__():
        yield child
        yield from _list_subclasses(child)


def describe_problem_types() -> list[dict[str, Any]]:
    """Return the types in the order of status and name; classes of one type are joined."""
    classes: dict[str, list[type[Problem]]] = defaultdict(list)
    for problem in sorted(list_problem_classes(), key=lambda problem: problem.__module__):
        classes[problem.type].append(problem)
    operations = _find_operations()
    types = [
        {
            "type": name,
            "status": members[0].status.value,
            "title": members[0].title,
            "meaning": _join_texts(map(_read_meaning, members)),
            "advice": _join_texts(problem.advice for problem in members),
            "operations": _shorten_operations(operations[name]),
        }
        for name, members in classes.items()
    ]
    return sorted(types, key=lambda described: (described["status"], described["type"]))


def _read_meaning(problem: type[Problem]) -> str:
    """Return the docstring as one paragraph, or the title where the class has none."""
    written = vars(problem).get("__doc__")
    return " ".join(cleandoc(written).split()) if written else f"{problem.title}."


def _join_texts(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(filter(None, texts)))


def _find_operations() -> Mapping[str, set[str]]:
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


def _shorten_operations(names: Collection[str]) -> list[str]:
    return [EVERY] if len(names) == len(OPERATIONS) else sorted(names)


def serialise_problem_types() -> str:
    return json.dumps(describe_problem_types(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(serialise_problem_types(), encoding="utf-8")
    print(f"the types of problems in {FILE}")
