"""The hours in which the systems of agencies pushed, and the rhythm that follows from them."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Mapped, mapped_column

from sync_service.database import Base


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
