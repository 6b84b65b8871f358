"""Choose the names of operations and schemas, from which generators name functions and classes."""

import re
from typing import Any, Protocol

import orjson

from shared.web.openapi.links import Described

_PLACE = "#/components/schemas/"


class NamedRoute(Protocol):
    """A route, which has the name of its function unless it was given another one."""

    name: str


def read_operation_id(route: NamedRoute) -> str:
    """Return the name of the route: generated clients call the operation by it."""
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

    def refer(part: Any) -> Any:
        if isinstance(part, list):
            return [refer(inner) for inner in part]
        if not isinstance(part, dict):
            return part
        title = part.get("title")
        if isinstance(title, str) and schemas.get(title) == part:
            return {"$ref": f"{_PLACE}{title}"}
        return {name: refer(inner) for name, inner in part.items()}

    referring = {
        name: {member: refer(part) for member, part in schema.items()}
        for name, schema in schemas.items()
    }
    return document | {"components": document.get("components", {}) | {"schemas": referring}}


def rename_schemas(document: Described, names: dict[str, str]) -> Described:
    """Return the document with new names for some of its schemas, which become their titles."""

    def rename(place: re.Match[str]) -> str:
        return f'"{_PLACE}{names.get(place[1], place[1])}"'

    text = orjson.dumps(document).decode()
    renamed: Described = orjson.loads(re.sub(f'"{_PLACE}([^"]+)"', rename, text))
    schemas: dict[str, Any] = renamed["components"]["schemas"]
    renamed["components"]["schemas"] = {
        names.get(name, name): schema | {"title": names[name]} if name in names else schema
        for name, schema in schemas.items()
    }
    return renamed
