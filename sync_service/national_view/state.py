"""Where a dossier stands in the national view, and which of two tellings holds. Pure."""

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
from shared.rules.dossier_times import find_time_faults
from sync_service.agencies.hierarchy import COUNTRY, lineage

# Who tells of the dossiers of this mesh. No client can bear the name: they have no slash.
OWN: Final = "/dossier_service"

# A clock of ours that runs fast is put right within a day, and its events count until then.
OWN_CLOCK_SLACK: Final = timedelta(days=1)

# The version of each progress row: it follows every full row of its second, since systems push a
# dossier and its progress with one and the same time.
PROGRESS_VERSION: Final = 2**62 + 1


@dataclass(frozen=True, slots=True)
class Standing:
    """A row of the national view.

    `source` alone may tell of the dossier. `version` counts the words that it told; a word is a
    full row or a progress row, and a repeated word is one word. Words are ordered by their time,
    their version and, among full rows, the digest of their content; progress rows of one time by
    their status. `source_time` and `source_version` are those of the last word: it gives the
    status. `facts_time`, `facts_version` and `facts_digest` are those of the last full row: it
    gives all other facts. `reopened_time` is that of the last progress row with an open status.

    `finished_at` is the end that the last full row gives, None where the dossier was reopened
    since. `ended_at` is the end that counts, `requests` for papers count, the first one made at
    `requested_at`: these three follow from the timeline, see `derived_times`.

    `latest_at` stands in for a due date that was not told. Of a pushed dossier it is
    `term_ends_at`, the end of the longest term of the procedure, moved on by the waits for papers.
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
        """By which lists are ordered: received, or while that is not yet so, filed."""
        return self.received_at or self.filed_at

    @property
    def national_procedure(self) -> str:
        return parse_national_code(self.procedure)

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    def parties(self) -> frozenset[str]:
        """Every agency that has a part in it, and all agencies above them."""
        codes = (self.helped_by, self.received_by, self.decided_by)
        return frozenset(each for code in codes if code for each in lineage(code)) - {COUNTRY}

    @property
    def lacks_term(self) -> bool:
        """Return whether it is to be judged by a term that was not known when it was pushed."""
        is_told = self.due_at is not None or self.term_ends_at is not None
        return self.source != OWN and self.received_at is not None and not is_told

    def with_term(self, longest: Term | None) -> "Standing":
        """Return the dossier with the end of its longest term, where it has no due date."""
        if not self.lacks_term or self.received_at is None:
            return self
        ends_at = self.latest_at or due_at(self.received_at, longest)
        return replace(self, term_ends_at=ends_at, latest_at=ends_at)

    def with_one_more_word(self) -> "Standing":
        return replace(self, version=self.version + 1)

    def with_facts_of(self, row: "Standing") -> "Standing":
        """Return the dossier after a full row that is later than the last one.

        The row is a standing of its own, as if the dossier were new. A later word keeps its say
        of the status, and a reopening since then keeps the dossier open.
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
        """Return whether a progress row is the last word on the status, or equals it."""
        return (time, PROGRESS_VERSION, status) >= (*self.status_order, self.status)

    def with_progress(self, status: int, time: datetime) -> "Standing":
        """Return the dossier after a progress row; one that is reopened is no longer finished."""
        moved = self.with_one_more_word()
        if status not in ENDED:
            moved = replace(
                moved,
                reopened_time=max(time, self.reopened_time or time),
                finished_at=None if time >= self.facts_time else self.finished_at,
            )
        if not self.is_superseded_by(status, time):
            return moved
        return replace(moved, status=status, source_time=time, source_version=PROGRESS_VERSION)

    def synced(self) -> dict[str, object]:
        """The fields of the event that tells of it."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return told | {"at": self.source_time}


# A dossier before, None where it was not known, and after.
Change = tuple[Standing | None, Standing]


class Entry(NamedTuple):
    """One word, as a line of a timeline; `version` and `digest` order the words of one time."""

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

    It depends on the content alone: neither on the arrival nor on how an instant is written.
    """
    plain = [each.timestamp() if isinstance(each, datetime) else each for each in content]
    digest = blake2b(orjson.dumps(plain), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def own(event: DossierSnapshot, now: datetime) -> Standing:
    """As our dossier service tells it.

    Raises ValueError where a code or number is none, or its instants cannot be true. They are held
    against the time of the event: a service whose clock runs fast loses no dossier.
    """
    if event.at > now + OWN_CLOCK_SLACK:
        raise ValueError("the event lies more than a day ahead: the clock of its service is wrong")
    if faults := list(find_time_faults(_instants(event), event.at)):
        raise ValueError("; ".join(fault.detail for fault in faults))
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
        facts_time=event.at,
        facts_version=event.version,
        facts_digest=0,
    )
    standing.parties()
    parse_national_code(standing.procedure)
    return standing


def _instants(event: DossierSnapshot) -> Mapping[str, datetime | None]:
    names = "filed_at", "received_at", "due_at", "finished_at"
    return {name: getattr(event, name) for name in names}


def newer_own(current: Standing | None, told: Standing) -> bool:
    """Our service issued the code: a copy that another system pushed before gives way."""
    return current is None or current.source != OWN or current.version < told.version
