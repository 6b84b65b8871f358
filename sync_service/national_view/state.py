"""The state of a dossier in the national view, and the order of its sources' rows. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final, NamedTuple

import orjson

from shared.codes.enums import ENDED, Channel, DossierStatus
from shared.codes.procedure import parse_national_code
from shared.events import DossierSnapshot
from shared.rules.deadlines import Term, due_at
from shared.rules.dossier_times import list_time_faults
from sync_service.agencies.hierarchy import COUNTRY, list_up_to_country

# The source of the dossiers of this mesh; no id of a client has a slash.
OWN: Final = "/dossier_service"

# A fast clock of our own is corrected within a day; until then its events are accepted.
OWN_CLOCK_SLACK: Final = timedelta(days=1)

# Each progress row has this version, so that it follows every full row of its second: systems push
# a dossier and its progress with the same time.
PROGRESS_VERSION: Final = 2**62 + 1


@dataclass(frozen=True, slots=True)
class DossierState:
    """The state of one dossier, a row of the national view.

    Only `source` may change the dossier. `version` counts its different rows, full rows and
    progress rows together. Rows are ordered by their time, their version and, among full rows, the
    digest of their content; progress rows of one time by their status. `source_time` and
    `source_version` are those of the last row, which sets the status. `facts_time`,
    `facts_version` and `facts_digest` are those of the last full row, which sets all other facts.
    `reopened_time` is that of the last progress row with an open status.

    `finished_at` is the end in the last full row, None if the dossier was reopened since. The
    effective end `ended_at`, the number of `requests` for papers and the time of the first one,
    `requested_at`, follow from the timeline, see `derived_times`.

    `latest_at` replaces a missing due date. For a pushed dossier it is `term_ends_at`, the end of
    the longest term of the procedure, extended by the waits for papers.
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
    facts_time: datetime
    facts_version: int
    facts_digest: int
    reopened_time: datetime | None = None
    ended_at: datetime | None = None
    requests: int = 0
    requested_at: datetime | None = None
    term_ends_at: datetime | None = None

    @property
    def facts_order(self) -> tuple[datetime, int, int]:
        return self.facts_time, self.facts_version, self.facts_digest

    @property
    def status_order(self) -> tuple[datetime, int]:
        return self.source_time, self.source_version

    @property
    def opened_at(self) -> datetime:
        """Return the time by which lists are ordered: the reception, or the filing before it."""
        return self.received_at or self.filed_at

    @property
    def national_procedure(self) -> str:
        return parse_national_code(self.procedure)

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    def list_parties(self) -> frozenset[str]:
        """Return every agency that takes part in the dossier, and all agencies above them."""
        codes = (self.helped_by, self.received_by, self.decided_by)
        return frozenset(
            agency for code in codes if code for agency in list_up_to_country(code)
        ) - {COUNTRY}

    @property
    def lacks_term(self) -> bool:
        """Return whether the dossier needs a term that was unknown when it was pushed."""
        has_term = self.due_at is not None or self.term_ends_at is not None
        return self.source != OWN and self.received_at is not None and not has_term

    def with_term(self, longest: Term | None) -> "DossierState":
        """Return the dossier with the end of its longest term, if it needs one."""
        if not self.lacks_term or self.received_at is None:
            return self
        ends_at = self.latest_at or due_at(self.received_at, longest)
        return replace(self, term_ends_at=ends_at, latest_at=ends_at)

    def with_one_more_row(self) -> "DossierState":
        return replace(self, version=self.version + 1)

    def with_facts_of(self, row: "DossierState") -> "DossierState":
        """Return the dossier after a full row that is later than the last one.

        `row` is the state that the row alone describes. The status of a later progress row stays,
        and a later reopening keeps the dossier open.
        """
        is_reopened = self.reopened_time is not None and self.reopened_time >= row.facts_time
        merged = replace(
            row,
            version=self.version + 1,
            finished_at=None if is_reopened else row.finished_at,
            reopened_time=self.reopened_time,
            ended_at=self.ended_at,
            requests=self.requests,
            requested_at=self.requested_at,
        )
        if self.status_order <= row.status_order:
            return merged
        return replace(
            merged,
            status=self.status,
            source_time=self.source_time,
            source_version=self.source_version,
        )

    def is_superseded_by(self, status: int, time: datetime) -> bool:
        """Return whether a progress row is the last one that sets the status, or equals it."""
        return (time, PROGRESS_VERSION, status) >= (*self.status_order, self.status)

    def with_progress(self, status: int, time: datetime) -> "DossierState":
        """Return the dossier after a progress row; a reopened dossier is no longer finished."""
        moved = self.with_one_more_row()
        if status not in ENDED:
            moved = replace(
                moved,
                reopened_time=max(time, self.reopened_time or time),
                finished_at=None if time >= self.facts_time else self.finished_at,
            )
        if not self.is_superseded_by(status, time):
            return moved
        return replace(moved, status=status, source_time=time, source_version=PROGRESS_VERSION)

    def to_event_fields(self) -> dict[str, object]:
        """Return the fields of the event `DossierSynced`."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return fields | {"at": self.source_time}


# The state of a dossier before, None if it was unknown, and after.
Change = tuple[DossierState | None, DossierState]


class TimelineRow(NamedTuple):
    """One row of a timeline; `version` and `digest` order the rows of one time."""

    code: str
    at: datetime
    kind: str
    status: int
    detail: str
    source: str
    version: int
    digest: int


def digest_content(content: tuple[str | int | datetime | None, ...]) -> int:
    """Return a number by which full rows of one time and one version are ordered.

    It depends on the content alone, not on the order of arrival or the notation of an instant.
    """
    plain = [value.timestamp() if isinstance(value, datetime) else value for value in content]
    digest = blake2b(orjson.dumps(plain), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def from_event(event: DossierSnapshot, now: datetime) -> DossierState:
    """Return the state that an event of dossier_service describes.

    Raise ValueError for a malformed code or number, or for impossible instants. These are compared
    with the time of the event, so that a service with a fast clock loses no dossier.
    """
    if event.at > now + OWN_CLOCK_SLACK:
        raise ValueError("the event lies more than a day ahead: the clock of its service is wrong")
    if faults := list(list_time_faults(_list_instants(event), event.at)):
        raise ValueError("; ".join(fault.detail for fault in faults))
    state = DossierState(
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
        facts_time=event.at,
        facts_version=event.version,
        facts_digest=0,
    )
    state.list_parties()
    parse_national_code(state.procedure)
    return state


def _list_instants(event: DossierSnapshot) -> Mapping[str, datetime | None]:
    names = "filed_at", "received_at", "due_at", "finished_at"
    return {name: getattr(event, name) for name in names}


def supersedes(current: DossierState | None, update: DossierState) -> bool:
    """Return whether our own state replaces the stored one; one of another source always yields."""
    return current is None or current.source != OWN or current.version < update.version
