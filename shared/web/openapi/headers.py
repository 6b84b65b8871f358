"""Describe the headers of answers that a caller reads beside the body."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from shared.web.calls.internal_headers import REQUEST_ID_HEADER, TRACE_ID_HEADER
from shared.web.idempotency import REPLAYED_HEADER
from shared.web.openapi.links import Described

_COUNT: Mapping[str, Any] = MappingProxyType({"type": "integer", "minimum": 0})
# The gateway sets the last two; the services set the others, or the gateway in their place.
HEADERS: Mapping[str, Described] = MappingProxyType(
    {
        "ETag": {
            "description": "The version of the resource, which a change sends as If-Match.",
            "schema": {"type": "string", "examples": ['"7"']},
        },
        "Location": {
            "description": "The path of the new resource.",
            "schema": {"type": "string", "format": "uri-reference"},
        },
        REPLAYED_HEADER: {
            "description": "This is the answer to an earlier request with this Idempotency-Key.",
            "schema": {"type": "string", "const": "true"},
        },
        "Retry-After": {
            "description": "The seconds after which the request may be sent again.",
            "schema": dict(_COUNT),
        },
        "RateLimit-Limit": {
            "description": "The calls that the exhausted quota allows in its window.",
            "schema": dict(_COUNT),
        },
        "RateLimit-Remaining": {
            "description": "The calls that are left in the window.",
            "schema": dict(_COUNT),
        },
        "RateLimit-Reset": {
            "description": "The seconds until the quota has room again.",
            "schema": dict(_COUNT),
        },
        "RateLimit-Policy": {
            "description": "The quota and its window in seconds.",
            "schema": {"type": "string", "examples": ["6000;w=60"]},
        },
        REQUEST_ID_HEADER: {
            "description": "The id of the call in the access ledger, which the caller may choose.",
            "schema": {"type": "string"},
        },
        TRACE_ID_HEADER: {
            "description": "The id of the trace in the logs, also `trace_id` of a problem.",
            "schema": {"type": "string"},
        },
    }
)
GATEWAY_HEADERS = (REQUEST_ID_HEADER, TRACE_ID_HEADER)
_WAIT_HEADERS = ("Retry-After",)
_QUOTA_HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "RateLimit-Policy")
# A wait after wrong claims about a person is answered 429 without the headers of a quota.
_PROBLEM_HEADERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"429": (*_WAIT_HEADERS, *_QUOTA_HEADERS), "503": _WAIT_HEADERS}
)


def add_headers(document: Described) -> Described:
    """Return the document, which has its links already, with the headers of each answer."""
    used_names = set()
    for methods in document["paths"].values():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                names = [*_list_headers(method, operation, status, answer)]
                if names:
                    answer["headers"] = refer_to_headers(names)
                    used_names.update(names)
    document["components"]["headers"] = {name: HEADERS[name] for name in sorted(used_names)}
    return document


def refer_to_headers(names: Iterable[str]) -> Described:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _list_headers(
    method: str, operation: Described, status: str, answer: Described
) -> Iterator[str]:
    yield from _PROBLEM_HEADERS.get(status, ())
    if not status.startswith("2"):
        return
    is_public_page = method == "get" and "security" not in operation
    if is_public_page or _names_version(answer):
        yield "ETag"
    if status == "201" and _names_new_resource(answer):
        yield "Location"
    parameters = operation.get("parameters", ())
    if any(parameter["name"].lower() == "idempotency-key" for parameter in parameters):
        yield REPLAYED_HEADER


def _names_version(answer: Described) -> bool:
    """Return whether a change of the resource may follow, which sends its version back."""
    return any(
        "$response.header.ETag" in link["parameters"].values()
        for link in answer.get("links", {}).values()
    )


def _names_new_resource(answer: Described) -> bool:
    """Return whether the resource that the body names can be read."""
    return any(
        link["operationRef"].endswith("/get")
        and any(value.startswith("$response.body") for value in link["parameters"].values())
        for link in answer.get("links", {}).values()
    )
