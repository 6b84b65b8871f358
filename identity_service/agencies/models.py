"""Define the table of agencies."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
)
from sqlalchemy.orm import Mapped, mapped_column

from identity_service.database import Base
from shared.events import AgencyChanged


def _link_agency(**options: Any) -> Any:
    """Return a foreign key to an agency that is checked at commit.

    A list of agencies may name parents and successors that it inserts later.
    """
    key = ForeignKey("agency.code", deferrable=True, initially="DEFERRED")
    return mapped_column(key, **options)


class Agency(Base):
    __tablename__ = "agency"
    __table_args__ = (
        CheckConstraint(
            "level IN ('central', 'province', 'commune', 'enterprise', 'other')",
            name="agency_level",
        ),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column()
    old_code: Mapped[str | None]
    name: Mapped[str]
    search_name: Mapped[str]  # without diacritics
    level: Mapped[str] = mapped_column(index=True)
    parent: Mapped[str | None] = _link_agency(index=True)
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]  # last day
    successor: Mapped[str | None] = _link_agency()
    unit_code: Mapped[str | None]
    confirmed: Mapped[bool]

    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}  # noqa: RUF012

    def existed_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def reopen(self) -> None:
        self.valid_to = self.successor = None
        self.version += 1

    def close(self, last_day: date, *, successor: str) -> None:
        self.valid_to, self.successor = last_day, successor
        self.version += 1

    def build_event(self, now: datetime) -> AgencyChanged:
        return AgencyChanged(
            version=self.version,
            at=now,
            code=self.code,
            name=self.name,
            level=self.level,
            parent=self.parent,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            successor=self.successor,
        )
