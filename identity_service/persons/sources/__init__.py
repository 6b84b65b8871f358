"""List the sources in which people are looked up, all behind the protocol `Source`."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType

from identity_service.persons.sources.register import open_register
from identity_service.persons.sources.remote import open_remote
from identity_service.persons.sources.source import Finding, Inquiry, Source
from identity_service.settings import Settings

OpenSource = Callable[[Settings], AbstractAsyncContextManager[Source]]

SOURCES: Mapping[str, OpenSource] = MappingProxyType(
    {"register": open_register, "remote": open_remote}
)

__all__ = ["SOURCES", "Finding", "Inquiry", "Source"]
