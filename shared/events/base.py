"""The base of all events, and their registry by type."""

from collections.abc import Mapping
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict

from shared.codes.deprecation import Deprecation


class Event(BaseModel):
    """A fact that one service publishes and others read.

    A subclass declares its CloudEvents `event_type`, its topic, the service that owns the topic
    and alone may publish there, and the field that orders it, `key`. A deprecated event is still
    published, beside its successor. No personal data: a person is the keyed hash of the personal
    number.
    """

    model_config = ConfigDict(frozen=True)

    event_type: ClassVar[str]
    topic: ClassVar[str]
    publisher: ClassVar[str]
    key: ClassVar[str]
    deprecation: ClassVar[Deprecation | None] = None

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        if "event_type" in cls.__dict__:
            _events[cls.event_type] = cls


_events: Final[dict[str, type[Event]]] = {}
EVENTS: Final[Mapping[str, type[Event]]] = _events


class UnknownEventError(Exception):
    """The message is well formed but of a type that this build does not define."""


def parse_event(event_type: str, value: bytes) -> Event:
    """Return the event; raise UnknownEventError or pydantic's ValidationError."""
    if (event_class := EVENTS.get(event_type)) is None:
        raise UnknownEventError(event_type)
    return event_class.model_validate_json(value)
