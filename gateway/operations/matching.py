"""Find the operation of a method and a path."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway.operations.model import Operation
from gateway.operations.table import OPERATIONS


@dataclass(frozen=True, slots=True)
class Match:
    operation: Operation
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NotFound:
    pass


@dataclass(frozen=True, slots=True)
class MethodNotAllowed:
    allowed: tuple[str, ...]


@dataclass(slots=True)
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    # method -> the operation and the names of its parameters, in the order of the path
    operations: dict[str, tuple[Operation, tuple[str, ...]]] = field(default_factory=dict)

    def follow_segment(self, segment: str) -> "_Node":
        if not segment.startswith("{"):
            return self.literals.setdefault(segment, _Node())
        self.parameter = self.parameter or _Node()
        return self.parameter


def build_operation_tree(operations: Iterable[Operation]) -> _Node:
    root = _Node()
    for operation in operations:
        node, names = root, []
        for segment in operation.template.split("/")[1:]:
            node = node.follow_segment(segment)
            if segment.startswith("{"):
                names.append(segment.strip("{}"))
        node.operations[operation.method] = (operation, tuple(names))
        if operation.public and operation.method == "GET":
            # HEAD omits the body (RFC 9110 §9.3.2); personal data is read by GET only.
            node.operations["HEAD"] = (operation, tuple(names))
    return root


_ROOT = build_operation_tree(OPERATIONS.values())
_NOT_FOUND = NotFound()
# All codes of the domain fit. Without `%`, `/`, `\` and a leading dot, the gateway and the upstream
# service cannot read an encoding or a path differently.
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:-]{0,127}")


def match_operation(method: str, path: str) -> Match | NotFound | MethodNotAllowed:
    """Find the operation of a request. `path` is the raw path, as sent, without the query."""
    first, *segments = path.split("/")
    if first:
        return _NOT_FOUND
    node, values = _ROOT, []
    for segment in segments:
        literal = node.literals.get(segment)
        if literal is not None:
            node = literal
        elif node.parameter is not None and _VALUE.fullmatch(segment):
            node = node.parameter
            values.append(segment)
        else:
            return _NOT_FOUND
    if entry := node.operations.get(method):
        return Match(entry[0], dict(zip(entry[1], values, strict=True)))
    return MethodNotAllowed(tuple(sorted(node.operations))) if node.operations else _NOT_FOUND
