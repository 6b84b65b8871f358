"""Declare the table of agencies."""

from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import Base


class KnownAgency(Base):
    """The name of an agency, shown to readers of the ledger."""

    __tablename__ = "known_agency"

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    name: Mapped[str]
