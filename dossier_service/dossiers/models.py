"""The tables of dossiers, and the rules that a dossier derives from its own columns."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from dossier_service.database import Base, Numbered
from shared.codes.enums import Channel, DossierStatus
from shared.database.coverage import cut_to_national_code
from shared.rules.deadlines import find_overdue_day
from shared.rules.statuses import permitted_statuses
from shared.rules.working_days import is_provisional

# As the index has it, so that the planner can use it.
PROVISIONAL_OPEN = "finished_at IS NULL AND due_calendar LIKE '%?%'"


def _dossier_key_column() -> Any:
    return mapped_column(ForeignKey("dossier.code"), primary_key=True)


class DossierSerial(Base):
    """The last serial that an agency gave out on a day."""

    __tablename__ = "dossier_serial"

    agency: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    serial: Mapped[int]


class Dossier(Base):
    """`previous_status` led to `status`, at `moved_at`; `version` is of `changed_at`.

    `person` is the applicant's keyed hash.
    """

    __tablename__ = "dossier"
    __table_args__ = (
        ForeignKeyConstraint(
            ["procedure", "procedure_version"],
            ["procedure_version.code", "procedure_version.version"],
        ),
        Index(
            "dossier_provisional",
            "code",
            postgresql_where=text(PROVISIONAL_OPEN),
        ),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column()
    external_code: Mapped[str | None]
    procedure: Mapped[str]
    procedure_version: Mapped[int]
    channel: Mapped[Channel] = mapped_column(Numbered(Channel))
    status: Mapped[DossierStatus] = mapped_column(Numbered(DossierStatus))
    previous_status: Mapped[DossierStatus | None] = mapped_column(Numbered(DossierStatus))
    moved_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    helped_by: Mapped[str | None]
    received_by: Mapped[str]
    decided_by: Mapped[str]
    filed_at: Mapped[datetime]
    reception_due_at: Mapped[datetime | None]
    received_at: Mapped[datetime | None]
    # the case of the channel whose term counts; NULL: the longest term of the channel
    term_case: Mapped[str | None]
    due_at: Mapped[datetime | None]
    # where the channel gives no due date: the end of the longest term of the procedure
    latest_at: Mapped[datetime | None]
    # the calendars that the due date rests on (`describe_calendar_basis`); a ? in it: provisional
    due_calendar: Mapped[str | None]
    due_before_supplement: Mapped[datetime | None]
    # how often papers were requested since the reception, or before it while not received
    requests: Mapped[int]
    finished_at: Mapped[datetime | None]
    person: Mapped[str | None]
    summary: Mapped[str | None]
    # the reason of the last move: a code, and the officer's words
    reason: Mapped[str | None]
    note: Mapped[str | None]

    applicant: Mapped["DossierApplicant"] = relationship(lazy="raise")
    documents: Mapped[list["DossierDocument"]] = relationship(
        lazy="raise", order_by="DossierDocument.position"
    )
    fees: Mapped[list["DossierFee"]] = relationship(lazy="raise", order_by="DossierFee.code")
    results: Mapped[list["DossierResult"]] = relationship(
        lazy="raise", order_by="DossierResult.version"
    )

    # A write that rests on an older version fails, so that two clerks cannot overwrite each other.
    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}  # noqa: RUF012

    def begin_version(self, now: datetime) -> datetime:
        """Return the instant of the next version: later than the one before.

        The clock of this process may have been set, or that of another replica be ahead.
        """
        self.version += 1
        self.changed_at = max(now, self.changed_at + timedelta.resolution)
        return self.changed_at

    @property
    def due_provisional(self) -> bool:
        """Return whether the due date rests on days that are not announced, or not confirmed."""
        return is_provisional(self.due_calendar)

    @property
    def overdue_from(self) -> date | None:
        """Return the day from which the dossier counts as late, unless it changes before."""
        if self.finished_at is not None:
            return None
        is_waiting = self.status is DossierStatus.SUPPLEMENT_REQUESTED
        return find_overdue_day(
            self.due_at or self.latest_at,
            requested_at=self.moved_at if is_waiting else None,
            requests=self.requests,
        )

    @property
    def permitted_statuses(self) -> frozenset[DossierStatus]:
        """Return the statuses that may follow; open fees or a missing result may still hold it."""
        is_received = self.received_at is not None
        return permitted_statuses(self.status, before=self.previous_status, is_received=is_received)

    @property
    def responsible_agency(self) -> str:
        """Return the deciding agency while the dossier is handled, else the receiving agency."""
        waits_or_stopped = self.status in {
            DossierStatus.SUPPLEMENT_REQUESTED,
            DossierStatus.STOPPED,
        }
        is_received = self.received_at is not None
        if self.status is DossierStatus.PROCESSING or (waits_or_stopped and is_received):
            return self.decided_by
        return self.received_by


class DossierApplicant(Base):
    """The data of the applicant; `birth_date` may lack its day and month.

    Free text elsewhere may name the applicant too: papers, results, the summary, the notes.
    """

    __tablename__ = "dossier_applicant"

    dossier: Mapped[str] = _dossier_key_column()
    kind: Mapped[int] = mapped_column(SmallInteger)
    name: Mapped[str]
    personal_number: Mapped[str | None]
    organisation_number: Mapped[str | None]
    birth_date: Mapped[str | None]
    phone: Mapped[str | None]
    email: Mapped[str | None]
    address: Mapped[str | None]


class DossierDocument(Base):
    __tablename__ = "dossier_document"

    dossier: Mapped[str] = _dossier_key_column()
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    paper: Mapped[str]
    name: Mapped[str]
    kind: Mapped[str]


class DossierFee(Base):
    """A fee as the catalogue had it at filing; open until `paid_at`. One payment pays one fee."""

    __tablename__ = "dossier_fee"
    __table_args__ = (UniqueConstraint("dossier", "reference"),)

    dossier: Mapped[str] = _dossier_key_column()
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    amount_vnd: Mapped[int] = mapped_column(BigInteger)
    when: Mapped[str]
    kind: Mapped[str]
    paid_at: Mapped[datetime | None]
    method: Mapped[str | None]
    reference: Mapped[str | None]


class DossierResult(Base):
    """A result; `version` is the version of the dossier that its issue made.

    A recalled result no longer counts for the move to status 9.
    """

    __tablename__ = "dossier_result"

    dossier: Mapped[str] = _dossier_key_column()
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    code: Mapped[str]
    number: Mapped[str]
    title: Mapped[str]
    electronic: Mapped[bool]
    file_sha256: Mapped[str | None]
    issued_at: Mapped[datetime]
    recalled_at: Mapped[datetime | None]


class DossierStep(Base):
    """The history: one row for each version of a dossier, never changed."""

    __tablename__ = "dossier_step"

    dossier: Mapped[str] = _dossier_key_column()
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    act: Mapped[str]
    at: Mapped[datetime]
    from_status: Mapped[DossierStatus | None] = mapped_column(Numbered(DossierStatus))
    to_status: Mapped[DossierStatus] = mapped_column(Numbered(DossierStatus))
    client: Mapped[str]
    officer: Mapped[str | None]
    step: Mapped[str | None]
    reason: Mapped[str | None]
    note: Mapped[str | None]


class DossierParty(Base):
    """A dossier in the list of an agency: of its own, of each one above, and of "", the country.

    A list is then one range of an index, however many dossiers there are.
    """

    __tablename__ = "dossier_party"

    dossier: Mapped[str] = _dossier_key_column()
    agency: Mapped[str] = mapped_column(primary_key=True)
    filed_at: Mapped[datetime]
    procedure: Mapped[str]
    channel: Mapped[Channel] = mapped_column(Numbered(Channel))
    status: Mapped[DossierStatus] = mapped_column(Numbered(DossierStatus))
    due_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    overdue_from: Mapped[date | None]


_NEWEST = (DossierParty.filed_at.desc(), DossierParty.dossier.desc())
# With the procedure: a right to some of them is then read from the index alone.
Index("dossier_party_newest", DossierParty.agency, *_NEWEST, postgresql_include=["procedure"])
Index("dossier_party_status", DossierParty.agency, DossierParty.status, *_NEWEST)
Index("dossier_party_channel", DossierParty.agency, DossierParty.channel, *_NEWEST)
NATIONAL_PROCEDURE = cut_to_national_code(DossierParty.procedure)
Index(
    "dossier_party_national_procedure",
    DossierParty.agency,
    NATIONAL_PROCEDURE,
    *_NEWEST,
    postgresql_include=["procedure"],
)
Index(
    "dossier_party_open",
    DossierParty.agency,
    *_NEWEST,
    postgresql_include=["due_at", "overdue_from"],
    postgresql_where=text("finished_at IS NULL"),
)
