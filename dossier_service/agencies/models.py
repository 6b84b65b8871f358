"""The table of the agencies that the registry announced."""

from datetime import date

from sqlalchemy.orm import Mapped, mapped_column

from dossier_service.database import Base


class Agency(Base):
    """What the registry of agencies told; `valid_to` is the last day, both days inclusive."""

    __tablename__ = "agency"

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    name: Mapped[str]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    successor: Mapped[str | None]
