"""Add the problems (RFC 9457) to the operations of an OpenAPI document."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from shared.web.bodies.validation_messages import MAX_FAULTS
from shared.web.openapi.links import Described

PROBLEM: Mapping[str, Any] = MappingProxyType(
    {
        "title": "Problem",
        "type": "object",
        "description": "RFC 9457. `type` identifies the problem; some have further members.",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {"type": "string", "examples": ["/problems/not-allowed"]},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "how to correct the request"},
            "trace_id": {"type": "string", "description": "state it when you ask for help"},
            "errors": {
                "type": "array",
                "description": "place and correction of each fault of /problems/invalid-request",
                "maxItems": MAX_FAULTS,
                "items": {
                    "type": "object",
                    "required": ["at", "is"],
                    "properties": {"at": {"type": "string"}, "is": {"type": "string"}},
                },
            },
            "more": {
                "type": "integer",
                "description": "the number of faults that `errors` leaves out",
            },
        },
    }
)
_MEANINGS: Mapping[HTTPStatus, str] = MappingProxyType(
    {
        HTTPStatus.BAD_REQUEST: "A header, the query or the cursor is missing or cannot be read",
        HTTPStatus.UNAUTHORIZED: "No valid access token",
        HTTPStatus.FORBIDDEN: "No right in force allows this",
        HTTPStatus.NOT_FOUND: "The resource does not exist, or lies outside the right",
        HTTPStatus.CONFLICT: "The present state of the resource does not allow this",
        HTTPStatus.PRECONDITION_FAILED: "The resource was changed since it was read",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body has another media type, or a content coding",
        HTTPStatus.UNPROCESSABLE_ENTITY: "The request lacks the expected form, or cannot be met",
        HTTPStatus.PRECONDITION_REQUIRED: "If-Match is missing",
        HTTPStatus.TOO_MANY_REQUESTS: "The quota is exhausted",
        HTTPStatus.SERVICE_UNAVAILABLE: "A part of the mesh is unavailable",
    }
)
# FastAPI's own schemas of a refused request, which no service returns.
_FOREIGN = ("HTTPValidationError", "ValidationError")


def add_problems(document: Described) -> Described:
    """Return the document with the problems of each operation, including those of the gateway.

    Responses that a route declares itself (`responses=`) are kept.
    """
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _FOREIGN:
        schemas.pop(name, None)
    schemas["Problem"] = dict(PROBLEM)
    for methods in document["paths"].values():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", []):
                parameter["required"] |= parameter["name"].lower() == "if-match"
            problems = {
                str(s.value): _describe_problem(s)
                for s in sorted(_list_possible_statuses(method, operation))
            }
            responses = {
                s: a for s, a in operation["responses"].items() if not _is_framework_error(a)
            }
            operation["responses"] = responses | problems | responses
    return document


def _is_framework_error(answer: Described) -> bool:
    shape = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return str(shape.get("$ref")).endswith("/" + _FOREIGN[0])


def _list_possible_statuses(method: str, operation: Described) -> Iterator[HTTPStatus]:
    parameters = {
        (parameter["in"], parameter["name"].lower())
        for parameter in operation.get("parameters", [])
    }
    names_one = any(place == "path" for place, _ in parameters)
    yield from (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    if "security" in operation:
        yield from (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    if names_one:
        yield HTTPStatus.NOT_FOUND
    if method != "get" and (names_one or "201" in operation["responses"]):
        yield HTTPStatus.CONFLICT
    if ("header", "if-match") in parameters:
        yield from (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED)
    if "requestBody" in operation:
        yield HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    if "422" in operation["responses"]:
        yield HTTPStatus.UNPROCESSABLE_ENTITY


def _describe_problem(status: HTTPStatus) -> Described:
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        "description": _MEANINGS[status],
        "content": {"application/problem+json": problem},
    }
