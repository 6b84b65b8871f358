"""What a JSON Schema says of one place in the values that it describes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

_ELSEWHERE = frozenset({"$ref", "anyOf"})


@dataclass(frozen=True)
class SchemaNavigator:
    """`document` is the one that the references of `schema` are of."""

    schema: Schema
    document: Schema

    @classmethod
    def of_request(cls, document: Schema, path: str, method: str) -> "SchemaNavigator":
        """Of all that an operation is asked, parted as pydantic parts it: body, path, query …"""
        operation = document["paths"].get(path, {}).get(method.lower(), {})
        content = operation.get("requestBody", {}).get("content", {})
        parts = {"body": content.get("application/json", {}).get("schema", {})}
        for each in operation.get("parameters", ()):
            parts.setdefault(each["in"], {"properties": {}})["properties"][each["name"]] = each[
                "schema"
            ]
        return cls({"properties": parts}, document)

    def at(self, place: Iterable[str | int]) -> Schema:
        """Empty where it knows no such place, or does not know which of several it is."""
        found = self._plain(self.schema)
        for part in place:
            inner = found.get("properties", {}).get(part)
            found = self._plain(found.get("items", {}) if isinstance(part, int) else inner or {})
        return found

    def _plain(self, schema: Schema) -> Schema:
        """With what it refers to, or allows beside null, in its own place."""
        if reference := schema.get("$ref"):
            named: Any = self.document
            for part in reference.removeprefix("#/").split("/"):
                named = named[part]
            choices = [named]
        else:
            choices = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
        if len(choices) != 1:
            return schema
        own = {name: each for name, each in schema.items() if name not in _ELSEWHERE}
        return self._plain({**choices[0], **own})
