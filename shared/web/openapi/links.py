"""Add OpenAPI links from each response to the operations on its resources."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from shared.web.bodies.schema_navigator import SchemaNavigator

Described = dict[str, Any]

IF_MATCH = "if-match"


class Resource(NamedTuple):
    """A resource that a response names.

    `known` gives a runtime expression for each parameter of `path`; `versioned` says whether the
    response carries the version of the resource.
    """

    path: str
    known: dict[str, str]
    versioned: bool


def add_links(document: Described) -> Described:
    """Return the document with links from each success to the operations on its resources."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                if status.startswith("2") and (
                    links := _build_links(document, path, method, answer)
                ):
                    answer["links"] = links
    return document


def _build_links(document: Described, path: str, method: str, answer: Described) -> Described:
    content = answer.get("content", {}).get("application/json", {})
    shape = SchemaNavigator(content.get("schema", {}), document)
    links = {}
    for resource in _list_resources(document, path, shape):
        for reference, operation in _list_operations(document, resource):
            asks_version = any(
                parameter["name"] == IF_MATCH for parameter in operation.get("parameters", ())
            )
            follows = resource.versioned if asks_version else reference != _refer_to(path, method)
            if follows:
                version = {IF_MATCH: "$response.header.ETag"} if asks_version else {}
                links[operation["operationId"]] = {
                    "operationRef": reference,
                    "parameters": resource.known | version,
                }
    return links


def _list_resources(document: Described, path: str, shape: SchemaNavigator) -> Iterator[Resource]:
    """Yield the resource that the path names, and one that the response created or lists."""
    values = {name: f"$request.path.{name}" for name in _list_parameters(path)}
    if values:
        about = path[: path.rindex("}") + 1]
        yield Resource(about, values, versioned="version" in shape.at(()).get("properties", ()))
    for below in document["paths"]:
        parent, _, name = below.rpartition("/")
        if parent != path or not name.startswith("{"):
            continue
        name = name.strip("{}")
        for place in ((), (0,), ("items", 0)):
            members = shape.at(place).get("properties", {})
            if member := next(
                (candidate for candidate in (name, "id") if candidate in members), None
            ):
                at = "/".join(map(str, (*place, member)))
                versioned = not place and "version" in members
                yield Resource(below, values | {name: f"$response.body#/{at}"}, versioned)


def _list_operations(document: Described, resource: Resource) -> Iterator[tuple[str, Described]]:
    """Yield the operations on the resource, and on its parts without further parameters."""
    for path, methods in document["paths"].items():
        if f"{path}/".startswith(f"{resource.path}/") and len(_list_parameters(path)) == len(
            resource.known
        ):
            for method, operation in methods.items():
                yield _refer_to(path, method), operation


def _list_parameters(path: str) -> list[str]:
    return [part.strip("{}") for part in path.split("/") if part.startswith("{")]


def _refer_to(path: str, method: str) -> str:
    return f"#/paths/{quote(path.replace('/', '~1'), safe='~')}/{method}"
