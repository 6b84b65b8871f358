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
