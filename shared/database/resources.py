"""Objects that live as long as the database of a process is open."""

from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import URL

RESOURCES: Final = "resources"  # the name under which a session's `info` holds them


class Closeable(Protocol):
    """An object with open resources that `close` releases."""

    async def close(self) -> None: ...


CloseableType = TypeVar("CloseableType", bound=Closeable)


class DatabaseResources:
    """Create each kind of object at its first use, and close all of them with the database."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._made: dict[Callable[[URL], Any], Closeable] = {}

    def get(self, make: Callable[[URL], CloseableType]) -> CloseableType:
        made: Any = self._made.get(make)
        if made is None:
            made = self._made[make] = make(self._url)
        resource: CloseableType = made
        return resource

    async def close(self) -> None:
        for resource in self._made.values():
            await resource.close()
