"""The table of progress rows that wait for their dossier."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Index, SmallInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from sync_service.database import Base


class HeldProgress(Base):
    """A progress row of a dossier that its system has not yet pushed."""

    __tablename__ = "held_progress"

    code: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    status: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    detail: Mapped[str] = mapped_column(primary_key=True)
    held_at: Mapped[datetime] = mapped_column(server_default=func.now())

    # The rows of a client are counted by this index.
    __table_args__ = (Index("held_progress_source", "source", "code"),)


class HeldRow(NamedTuple):
    """The key of a held row."""

    code: str
    source: str
    at: datetime
    status: int
    detail: str
