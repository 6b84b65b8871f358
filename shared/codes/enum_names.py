"""Publish the names of numbered values, by which generated code calls them."""

from collections.abc import Iterable
from enum import IntEnum

from pydantic import GetJsonSchemaHandler, JsonValue
from pydantic_core import CoreSchema


def name_values(names: Iterable[str]) -> dict[str, JsonValue]:
    """Return the members of a schema that name the values of its `enum`, in their order.

    Without a name a generator would call the value 4 `VALUE_4`. Some read the first word, others
    the second.
    """
    words: list[JsonValue] = [*names]
    return {"x-enum-varnames": words, "x-enumNames": words}


class NamedIntEnum(IntEnum):
    """An enum of numbers whose JSON Schema holds the names of its members."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, JsonValue]:
        schema = handler(core_schema)
        handler.resolve_ref_schema(schema).update(name_values(cls.__members__))
        return schema
