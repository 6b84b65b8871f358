"""The procedures as the gateway keeps them."""

from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import Base


class KnownProcedure(Base):
    """A procedure as the catalogue last published it.

    `catalogue_size` is the largest number of procedures that any announcement of it stated; None
    where none stated one.
    """

    __tablename__ = "known_procedure"

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    active: Mapped[bool]
    catalogue_size: Mapped[int | None]
