"""Declare the table of procedures."""

from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import Base


class KnownProcedure(Base):
    """The newest published state of a procedure of the catalogue.

    `catalogue_size` is the largest number of procedures that any accepted event of it stated; NULL
    where none stated one.
    """

    __tablename__ = "known_procedure"

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    active: Mapped[bool]
    catalogue_size: Mapped[int | None]
