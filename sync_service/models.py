"""The national view of dossiers: where each stands, its timeline, its parties, the tallies."""

from datetime import date, datetime, timedelta

from sqlalchemy import BigInteger, DateTime, Index, SmallInteger, Table, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# The same as `standings.Standing.lacks_term`; as the index has it, so that the planner can use it.
LACKS_TERM = (
    "due_at IS NULL AND term_ends_at IS NULL AND received_at IS NOT NULL"
    " AND source <> '/dossier_service'"
)


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012 -- SQLAlchemy's form


class NationalDossier(Base):
    """The fields of `standings.Standing`, and three that are made from them for the queries.

    `deciding` is `decided_by` in today's form, as the registry has it.
    """

    __tablename__ = "national_dossier"

    code: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str]
    version: Mapped[int] = mapped_column(BigInteger)
    source_time: Mapped[datetime]
    source_version: Mapped[int] = mapped_column(BigInteger)
    procedure: Mapped[str]
    national_procedure: Mapped[str]
    channel: Mapped[int] = mapped_column(SmallInteger)
    status: Mapped[int] = mapped_column(SmallInteger)
    helped_by: Mapped[str | None]
    received_by: Mapped[str]
    decided_by: Mapped[str]
    deciding: Mapped[str]
    filed_at: Mapped[datetime]
    received_at: Mapped[datetime | None]
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    latest_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    facts_time: Mapped[datetime]
    facts_version: Mapped[int] = mapped_column(BigInteger)
    facts_digest: Mapped[int] = mapped_column(BigInteger)
    reopened_time: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    requests: Mapped[int] = mapped_column(SmallInteger)
    requested_at: Mapped[datetime | None]
    term_ends_at: Mapped[datetime | None]

    __table_args__ = (
        Index("national_dossier_newest", "opened_at", "code"),
        Index("national_dossier_procedure", "national_procedure", "opened_at", "code"),
        # What few dossiers have; among the many, the newest are soon enough found.
        Index(
            "national_dossier_broken_off",
            "status",
            "opened_at",
            "code",
            postgresql_where=text("status IN (3, 7, 8)"),
        ),
        Index(
            "national_dossier_by_post",
            "opened_at",
            "code",
            postgresql_where=text("channel = 3"),
        ),
        # Few wait for the catalogue: the timer that looks for a term reads these alone.
        Index("national_dossier_without_term", "code", postgresql_where=text(LACKS_TERM)),
        # Few are open at a time: what is overdue, or waits, is found among these.
        Index(
            "national_dossier_open", "opened_at", "code", postgresql_where=text("ended_at IS NULL")
        ),
    )


class TimelineEntry(Base):
    """A word told of a dossier; rows are only ever added.

    `version` and `digest` order the words of one time, as in `standings.Standing`.
    """

    __tablename__ = "dossier_event"

    code: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    # The step, the reason or the result, as a code; empty where there is none.
    detail: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    digest: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    taken_at: Mapped[datetime] = mapped_column(server_default=func.now())


class _Place:
    """What lists ask for and no change of status touches: the key's index has it too."""

    agency: Mapped[str] = mapped_column(primary_key=True)
    opened_at: Mapped[datetime] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    national_procedure: Mapped[str]
    channel: Mapped[int] = mapped_column(SmallInteger)
    deciding: Mapped[str]


class Party(_Place, Base):
    """One row for each agency that may see a dossier: a restricted list is one range scan.

    Who may see the whole country needs none.
    """

    __tablename__ = "national_party"


class PendingParty(_Place, Base):
    """The same for the few dossiers whose result has not been returned (status 10)."""

    __tablename__ = "national_party_pending"


class HeldProgress(Base):
    """Progress of a dossier that its system has not yet told of."""

    __tablename__ = "held_progress"

    code: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    status: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    detail: Mapped[str] = mapped_column(primary_key=True)
    held_at: Mapped[datetime] = mapped_column(server_default=func.now())

    # The rows of a client are counted.
    __table_args__ = (Index("held_progress_source", "source", "code"),)


class HeardHour(Base):
    """An hour in which an agency's system pushed; rows are only ever added."""

    __tablename__ = "heard_hour"

    agency: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)


class AgencyRhythm(Base):
    """When an agency's system last pushed, and its longest pause in the 28 days before."""

    __tablename__ = "agency_rhythm"

    agency: Mapped[str] = mapped_column(primary_key=True)
    last_hour: Mapped[datetime]
    longest_pause: Mapped[timedelta | None]


class Agency(Base):
    """As the registry tells it; without a name while only dossiers have named it.

    `above` follows from the code, as rights do: the registry's own parent may differ.
    """

    __tablename__ = "agency"

    code: Mapped[str] = mapped_column(primary_key=True)
    above: Mapped[str] = mapped_column(index=True)
    version: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str | None]
    level: Mapped[str | None] = mapped_column(index=True)
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    successor: Mapped[str | None]


class Procedure(Base):
    """What the catalogue published last of a procedure; without a term none is published."""

    __tablename__ = "procedure"

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    active: Mapped[bool]
    term_duration: Mapped[int | None]
    term_unit: Mapped[str | None]
    term_same_day: Mapped[bool | None]


class TallyCell(Base):
    """How many dossiers are alike in all that an indicator asks; see `tallies`.

    The database has no primary key here but a unique index in which NULL equals NULL.
    """

    __tablename__ = "tally"

    agency: Mapped[str] = mapped_column()
    part: Mapped[int] = mapped_column(SmallInteger)
    grain: Mapped[int] = mapped_column(SmallInteger)
    procedure: Mapped[str] = mapped_column()
    received_on: Mapped[date] = mapped_column()
    channel: Mapped[int] = mapped_column(SmallInteger)
    outcome: Mapped[int] = mapped_column(SmallInteger)
    due_on: Mapped[date | None] = mapped_column()
    count: Mapped[int] = mapped_column(BigInteger)

    __mapper_args__ = {  # noqa: RUF012 -- SQLAlchemy's form
        "primary_key": [agency, part, grain, procedure, received_on, channel, outcome, due_on]
    }
    __table_args__ = (
        Index(
            "tally_cell",
            "agency",
            "grain",
            "procedure",
            "received_on",
            "part",
            "channel",
            "outcome",
            "due_on",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        # A ranking of thousands of agencies reads a period once, not each agency for itself.
        Index(
            "tally_of_all_procedures",
            "grain",
            "received_on",
            "agency",
            postgresql_where=text("procedure = ''"),
        ),
    )


class TallyState(Base):
    """One row: how many changes of dossiers the tallies have taken in, and when the last."""

    __tablename__ = "tally_state"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    changes: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime]


def table(entity: type[Base]) -> Table:
    found = entity.__table__
    assert isinstance(found, Table)
    return found
