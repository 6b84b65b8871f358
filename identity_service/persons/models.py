"""Define the tables of the local register of people and of the counts of wrong claims."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    SmallInteger,
)
from sqlalchemy.orm import Mapped, mapped_column

from identity_service.database import Base


class RegisteredPerson(Base):
    """A row is a person of the register, found by the keyed hash of the personal number.

    Only compared values are stored, of the name its keys, and no personal number, so that a copy
    of this table reveals no number.
    """

    __tablename__ = "person"
    __table_args__ = (
        CheckConstraint("status IN ('ALIVE', 'DECEASED', 'LOCKED')", name="person_status"),
    )

    person: Mapped[bytes] = mapped_column(primary_key=True)
    name_key: Mapped[str]
    bare_name_key: Mapped[str]
    sex: Mapped[int] = mapped_column(SmallInteger)
    birth_date: Mapped[str | None]  # ISO 8601, cut at its precision
    residence_province: Mapped[str | None]
    residence_commune: Mapped[str | None]
    status: Mapped[str]
    told: Mapped[str | None]  # the fixed result of a persona


class GuessCount(Base):
    """A row counts the wrong claims of a caller about one person or all; see `Holder`."""

    __tablename__ = "guess_count"

    scope: Mapped[str] = mapped_column(primary_key=True)
    caller: Mapped[str] = mapped_column(primary_key=True)
    officer: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int]
    misses: Mapped[int]
    sequential: Mapped[int]
    blocks: Mapped[int]
    blocked_at: Mapped[datetime | None] = mapped_column(index=True)
    blocked_until: Mapped[datetime | None]
    expires_at: Mapped[datetime] = mapped_column(index=True)
