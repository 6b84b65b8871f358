"""The tables of the counters of dossiers, from which the indicators are summed."""

from datetime import date, datetime

from sqlalchemy import BigInteger, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from sync_service.database import Base


class CounterCell(Base):
    """The number of dossiers with the same dimensions, see `counters`.

    The table has no primary key but a unique index in which NULL equals NULL.
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
        # A ranking of thousands of agencies reads a period once, not once for each agency.
        Index(
            "tally_of_all_procedures",
            "grain",
            "received_on",
            "agency",
            postgresql_where=text("procedure = ''"),
        ),
    )


class CounterState(Base):
    """One row: the number of counted changes of dossiers, and the time of the last one."""

    __tablename__ = "tally_state"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    changes: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime]
