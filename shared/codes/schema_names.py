"""Published names of enums, which stay when a class gets a name of its own in the repository."""

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

EnumClass = TypeVar("EnumClass", bound=type[Enum])


def publish_as(name: str) -> Callable[[EnumClass], EnumClass]:
    """Return a decorator that gives an enum the name `name` in JSON Schema and OpenAPI.

    pydantic names a schema after its class, and clients generate code from that name.
    """

    def set_name(enum: EnumClass) -> EnumClass:
        enum.__name__ = enum.__qualname__ = name
        return enum

    return set_name
