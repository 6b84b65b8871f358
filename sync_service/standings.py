"""Where a dossier stands in the national view, and which of two tellings holds. Pure."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from shared.events import DossierStanding
from shared.events.codes import ENDED, Channel, DossierStatus, national_code
from sync_service.agencies import COUNTRY, lineage

VIET_NAM: Final = ZoneInfo("Asia/Ho_Chi_Minh")

# Who tells of the dossiers of this mesh. No client can bear the name: they have no slash.
OWN: Final = "/dossier_service"


class Outcome(StrEnum):
    """What becomes of one pushed row."""

    ACCEPTED = "accepted"
    UPDATED = "updated"
    DUPLICATE = "duplicate"
    STALE = "stale"
    HELD = "held"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Refusal:
    """`reason` is for programs, `detail` tells a person how to mend it."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A row of the national view.

    `source` alone may tell of the dossier. `version` counts what it told; `source_time` and, among
    equal times, `source_version` order what another system told. `finished_at` is what was told,
    `ended_at` what counts; `requests` for supplements were made, the first one at `requested_at`:
    these three follow from the timeline, see `milestones`.
    """

    code: str
    source: str
    version: int
    source_time: datetime
    source_version: int
    procedure: str
    channel: int
    status: int
    helped_by: str | None
    received_by: str
    decided_by: str
    filed_at: datetime
    received_at: datetime | None
    due_at: datetime | None
    latest_at: datetime | None
    finished_at: datetime | None
    ended_at: datetime | None = None
    requests: int = 0
    requested_at: datetime | None = None

    @property
    def order(self) -> tuple[datetime, int]:
        return self.source_time, self.source_version

    @property
    def opened_at(self) -> datetime:
        """By which lists are ordered: received, or while that is not yet so, filed."""
        return self.received_at or self.filed_at

    @property
    def national_procedure(self) -> str:
        return national_code(self.procedure)

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    def says_the_same(self, other: "Standing") -> bool:
        told = replace(self, version=other.version, ended_at=other.ended_at)
        return replace(told, requests=other.requests, requested_at=other.requested_at) == other

    def parties(self) -> frozenset[str]:
        """Every agency that has a part in it, and all agencies above them."""
        codes = (self.helped_by, self.received_by, self.decided_by)
        return frozenset(each for code in codes if code for each in lineage(code)) - {COUNTRY}

    def at_status(self, status: int, source_time: datetime) -> "Standing":
        """As a progress row tells it; a dossier taken up again is no longer finished."""
        return replace(
            self,
            version=self.version + 1,
            status=status,
            source_time=source_time,
            source_version=self.source_version if source_time == self.source_time else 0,
            finished_at=self.finished_at if status in ENDED else None,
        )

    def synced(self) -> dict[str, object]:
        """The fields of the event that tells of it."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return told | {"at": self.source_time}


class Entry(NamedTuple):
    """One line of a timeline."""

    code: str
    at: datetime
    kind: str
    status: int
    detail: str
    source: str


def own(event: DossierStanding) -> Standing:
    """As our dossier service tells it; raises ValueError where a code or number is none."""
    standing = Standing(
        code=event.code,
        source=OWN,
        version=event.version,
        source_time=event.at,
        source_version=event.version,
        procedure=event.procedure,
        channel=Channel(event.channel),
        status=DossierStatus(event.status),
        helped_by=event.helped_by,
        received_by=event.received_by,
        decided_by=event.decided_by,
        filed_at=event.filed_at,
        received_at=event.received_at,
        due_at=event.due_at,
        latest_at=event.latest_at,
        finished_at=event.finished_at,
    )
    standing.parties()
    national_code(standing.procedure)
    return standing


def newer_own(current: Standing | None, told: Standing) -> bool:
    """Our service issued the code: a copy that another system pushed before gives way."""
    return current is None or current.source != OWN or current.version < told.version


def judge(current: Standing | None, told: Standing) -> Outcome | Refusal:
    """What becomes of a whole dossier that another system tells, given where it stands."""
    if current is None:
        return Outcome.ACCEPTED
    if refusal := other_authority(current, told.source):
        return refusal
    if told.order < current.order:
        return Outcome.STALE
    if told.order > current.order:
        return Outcome.UPDATED
    if told.says_the_same(current):
        return Outcome.DUPLICATE
    return Refusal(
        "same_time_other_content",
        "Another row with this source_time was taken: send the change with a later source_time, "
        "or with a higher version.",
    )


def other_authority(current: Standing, source: str) -> Refusal | None:
    """One system at a time is the authority for a dossier; others hold a copy.

    Which one it is, is not told.
    """
    if current.source == source:
        return None
    return Refusal(
        "other_source",
        "Another system tells of this dossier, and only that one may: check the code. A dossier "
        "kept in the mesh itself is changed through /dossier/v1, not pushed.",
    )


def vn_day(at: datetime) -> date:
    return at.astimezone(VIET_NAM).date()
