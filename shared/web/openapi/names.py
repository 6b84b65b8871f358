"""Choose the names of operations and schemas, from which generators name functions and classes."""

import re
from typing import Any, Protocol

import orjson

from shared.web.openapi.links import Described

_PLACE = "#/components/schemas/"


class NamedRoute(Protocol):
    """A route, whose name is that of its function unless the route sets another."""

    name: str


def read_operation_id(route: NamedRoute) -> str:
    """Return the name of the route, by which generated clients call the operation."""
    return route.name


def name_generic_schemas(document: Described) -> Described:
    """Return the document with `AgencyPage`, the title, for the schema `Page_AgencyOut_`."""
    schemas = document.get("components", {}).get("schemas", {})
    titles = {name: schema["title"] for name, schema in schemas.items() if name.endswith("_")}
    return rename_schemas(document, titles) if titles else document


def refer_to_named_schemas(document: Described) -> Described:
    """Return the document with a reference wherever a whole schema stands that has a name.

    pydantic writes out the rows of a push, since each is validated on its own; a generator would
    make a second class of them.
    """
    schemas = document.get("components", {}).get("schemas", {})

    def replace_schemas(part: Any) -> Any:
        if isinstance(part, list):
            return [replace_schemas(inner) for inner in part]
        if not isinstance(part, dict):
            return part
        title = part.get("title")
        if isinstance(title, str) and schemas.get(title) == part:
            return {"$ref": f"{_PLACE}{title}"}
        return {name: replace_schemas(inner) for name, inner in part.items()}

    referring = {
        name: {member: replace_schemas(part) for member, part in schema.items()}
        for name, schema in schemas.items()
    }
    return document | {"components": document.get("components", {}) | {"schemas": referring}}


def rename_schemas(document: Described, names: dict[str, str]) -> Described:
    """Return the document with new names for some of its schemas, which become their titles."""

    def rename_reference(reference: re.Match[str]) -> str:
        name = reference[1]
        return f'"{_PLACE}{names.get(name, name)}"'

    text = orjson.dumps(document).decode()
    renamed: Described = orjson.loads(re.sub(f'"{_PLACE}([^"]+)"', rename_reference, text))
    schemas: dict[str, Any] = renamed["components"]["schemas"]
    renamed["components"]["schemas"] = {
        names.get(name, name): schema | {"title": names[name]} if name in names else schema
        for name, schema in schemas.items()
    }
    return renamed
