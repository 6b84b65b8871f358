"""Find the subschema for one place in the values that a JSON Schema describes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

_ELSEWHERE = frozenset({"$ref", "anyOf"})


@dataclass(frozen=True)
class SchemaNavigator:
    """A schema and the document in which its references are resolved."""

    schema: Schema
    document: Schema

    @classmethod
    def of_request(cls, document: Schema, path: str, method: str) -> "SchemaNavigator":
        """Return the schema of a request, with pydantic's members body, path, query …"""
        operation = document["paths"].get(path, {}).get(method.lower(), {})
        content = operation.get("requestBody", {}).get("content", {})
        parts = {"body": content.get("application/json", {}).get("schema", {})}
        for parameter in operation.get("parameters", ()):
            part = parts.setdefault(parameter["in"], {"properties": {}})
            part["properties"][parameter["name"]] = parameter["schema"]
        return cls({"properties": parts}, document)

    def at(self, place: Iterable[str | int]) -> Schema:
        """Return the subschema at `place`; empty if it is unknown or ambiguous."""
        schema = self._plain(self.schema)
        for part in place:
            inner = schema.get("properties", {}).get(part)
            schema = self._plain(schema.get("items", {}) if isinstance(part, int) else inner or {})
        return schema

    def _plain(self, schema: Schema) -> Schema:
        """Return the schema with a reference, or its only alternative to null, merged into it."""
        if reference := schema.get("$ref"):
            named: Any = self.document
            for part in reference.removeprefix("#/").split("/"):
                named = named[part]
            choices = [named]
        else:
            choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
        if len(choices) != 1:
            return schema
        own_members = {name: value for name, value in schema.items() if name not in _ELSEWHERE}
        return self._plain({**choices[0], **own_members})
