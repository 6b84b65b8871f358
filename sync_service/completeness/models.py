"""The tables of the hours in which agencies pushed, and of the rhythms that follow from them."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Mapped, mapped_column

from sync_service.database import Base


class PushHour(Base):
    """An hour in which an agency's system pushed; rows are never updated."""

    __tablename__ = "heard_hour"

    agency: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)


class AgencyRhythm(Base):
    """The hour of an agency's last push, and its longest pause in the 28 days before."""

    __tablename__ = "agency_rhythm"

    agency: Mapped[str] = mapped_column(primary_key=True)
    last_hour: Mapped[datetime]
    longest_pause: Mapped[timedelta | None]
