"""The stand-in register of people, and the counts of wrong claims about them."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    SmallInteger,
)
from sqlalchemy.orm import Mapped, mapped_column

from identity_service.database import Base


class RegisteredPerson(Base):
    """One person of the register, found by the keyed hash of the personal number.

    Only what is compared is kept: of the name its keys, and not the number itself, so that a copy
    of this table alone names nobody's number.
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
    told: Mapped[str | None]  # what a persona answers whatever is asked


class GuessCount(Base):
    """How often a caller was wrong about one person, or about all; see `guesses.Holder`."""

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
