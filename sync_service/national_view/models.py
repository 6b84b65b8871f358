"""The tables of the national view: the states of dossiers, their timelines and parties."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, SmallInteger, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sync_service.database import Base

# The same as `state.DossierState.lacks_term`; the index has this text, so the planner uses it.
LACKS_TERM = (
    "due_at IS NULL AND term_ends_at IS NULL AND received_at IS NOT NULL"
    " AND source <> '/dossier_service'"
)


class NationalDossier(Base):
    """The fields of `state.DossierState`, and three that are computed from them for the queries.

    `deciding` is `decided_by` in canonical form, as the registry has it.
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
        # Few dossiers have these statuses; the newest of other statuses are found without an index.
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
        # Few dossiers wait for the catalogue; the timer that looks for terms reads these alone.
        Index("national_dossier_without_term", "code", postgresql_where=text(LACKS_TERM)),
        # Few dossiers are open at a time; the overdue and the waiting ones are among these.
        Index(
            "national_dossier_open", "opened_at", "code", postgresql_where=text("ended_at IS NULL")
        ),
    )


class TimelineEntry(Base):
    """One row of the timeline of a dossier; rows are never changed.

    `version` and `digest` order the rows of one time, as in `state.DossierState`.
    """

    __tablename__ = "dossier_event"

    code: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    # The step, the reason, the fee or the result, as a code; empty if there is none.
    detail: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    digest: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    taken_at: Mapped[datetime] = mapped_column(server_default=func.now())


class _PartyColumns:
    """The columns by which lists select and which no change of status changes."""

    agency: Mapped[str] = mapped_column(primary_key=True)
    opened_at: Mapped[datetime] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    national_procedure: Mapped[str]
    channel: Mapped[int] = mapped_column(SmallInteger)
    deciding: Mapped[str]


class Party(_PartyColumns, Base):
    """One row for each agency that may see a dossier, so that a restricted list is a range scan.

    Lists of the whole country do not read this table.
    """

    __tablename__ = "national_party"


class PendingParty(_PartyColumns, Base):
    """The same for the few dossiers whose result has not been returned (status 10)."""

    __tablename__ = "national_party_pending"


class ProjectionRebuild(Base):
    """The progress of a rebuild that has begun and not ended; each batch advances `version`."""

    __tablename__ = "projection_rebuild"

    projection: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    stage: Mapped[str]
    position: Mapped[dict[str, Any]] = mapped_column(JSONB)
