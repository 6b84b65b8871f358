"""The events of the identity service: agencies, clients, access rights, persons, guesses."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.codes.officer import OfficerCode
from shared.events.base import Event


class IdentityEvent(Event):
    topic: ClassVar[str] = "identity.events.v1"
    publisher: ClassVar[str] = "identity_service"

    version: int
    at: datetime


class AgencyChanged(IdentityEvent):
    """The present state of an agency; `successor` continues it after `valid_to`."""

    event_type: ClassVar[str] = "identity.agency.changed.v1"
    key: ClassVar[str] = "code"

    code: str
    name: str
    level: str
    parent: str | None
    valid_from: date
    valid_to: date | None
    successor: str | None


class ClientChanged(IdentityEvent):
    event_type: ClassVar[str] = "identity.client.changed.v1"
    key: ClassVar[str] = "client_id"

    client_id: str
    agency: str
    active: bool


class GrantChanged(IdentityEvent):
    """The present state of a grant. None in `procedures`, `fields`, `agencies` means all.

    `agencies` limits the rows: each covers itself and all agencies below it. `per_second` and
    `per_day` are the quota; None takes the default of the operation's quota class.
    """

    event_type: ClassVar[str] = "identity.grant.changed.v1"
    key: ClassVar[str] = "client_id"

    grant_id: UUID
    client_id: str
    operations: list[str]
    procedures: list[str] | None
    fields: list[str] | None
    agencies: list[str] | None
    valid_from: datetime
    valid_to: datetime | None
    legal_basis: str
    per_second: int | None
    per_day: int | None
    revoked: bool


class PersonChanged(IdentityEvent):
    """`person` is the keyed hash; `change` is birth, correction, residence, marriage or death."""

    event_type: ClassVar[str] = "identity.person.changed.v1"
    key: ClassVar[str] = "person"

    person: str
    change: str


class VerificationGuessed(IdentityEvent):
    """A caller is blocked because too many of its claims about people were wrong.

    `scope` names the exhausted budget: `officer-person` and `agency-person` concern one person,
    `officer`, `client` and `agency` all persons, by their misses, the share of misses or numbers in
    sequence. `misses`, `calls` (misses and known persons, each once) and `sequential` are counted
    within the window of that budget; `version` equals `misses`.
    """

    event_type: ClassVar[str] = "identity.verification.guessed.v1"
    key: ClassVar[str] = "client_id"

    client_id: str
    agency: str
    officer: OfficerCode | None
    person: str | None
    scope: Literal["officer-person", "agency-person", "officer", "client", "agency"]
    misses: int
    calls: int
    sequential: int
    blocked_until: datetime
