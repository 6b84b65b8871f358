"""The table of agencies."""

from datetime import date

from sqlalchemy.orm import Mapped, mapped_column

from dossier_service.database import Base


class Agency(Base):
    """An agency as the registry announced it; both `valid_from` and `valid_to` are inclusive."""

    __tablename__ = "agency"

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    name: Mapped[str]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    successor: Mapped[str | None]
