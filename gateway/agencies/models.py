"""The agencies as the gateway keeps them."""

from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import Base


class KnownAgency(Base):
    """The name of an agency, for who reads the ledger."""

    __tablename__ = "known_agency"

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    name: Mapped[str]
