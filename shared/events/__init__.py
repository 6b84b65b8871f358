"""The events that cross service borders: names and shapes only, no behaviour."""

from collections.abc import Mapping
from types import MappingProxyType

from shared.events.access import LedgerAnchored
from shared.events.base import EVENTS, Event, UnknownEventError, parse_event
from shared.events.catalogue import ProcedurePublished
from shared.events.dossier import (
    DossierEvent,
    DossierFiled,
    DossierMoved,
    DossierProgressed,
    DossierSnapshot,
    FeePaid,
    ResultIssued,
)
from shared.events.identity import (
    AgencyChanged,
    ClientChanged,
    GrantChanged,
    PersonChanged,
    VerificationGuessed,
)
from shared.events.sync import DossierSynced

DEAD = ".dead"
TOPICS = frozenset(event.topic for event in EVENTS.values())
# The only service that may publish to each topic, and whose key signs the events there.
OWNERS: Mapping[str, str] = MappingProxyType(
    {event.topic: event.publisher for event in EVENTS.values()}
)
ALL_TOPICS = TOPICS | {topic + DEAD for topic in TOPICS}

__all__ = [
    "ALL_TOPICS",
    "DEAD",
    "EVENTS",
    "OWNERS",
    "TOPICS",
    "AgencyChanged",
    "ClientChanged",
    "DossierEvent",
    "DossierFiled",
    "DossierMoved",
    "DossierProgressed",
    "DossierSnapshot",
    "DossierSynced",
    "Event",
    "FeePaid",
    "GrantChanged",
    "LedgerAnchored",
    "PersonChanged",
    "ProcedurePublished",
    "ResultIssued",
    "UnknownEventError",
    "VerificationGuessed",
    "parse_event",
]
