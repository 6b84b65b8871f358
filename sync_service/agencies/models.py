"""The tables of agencies and procedures, as the registry and the catalogue publish them."""

from datetime import date

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from sync_service.database import Base


class Agency(Base):
    """An agency as the registry publishes it; its name is NULL while only dossiers have named it.

    `above` follows from the code, as rights do: the registry's own parent may differ.
    """

    __tablename__ = "agency"

    code: Mapped[str] = mapped_column(primary_key=True)
    above: Mapped[str] = mapped_column(index=True)
    version: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str | None]
    level: Mapped[str | None] = mapped_column(index=True)
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    successor: Mapped[str | None]


class CatalogueProcedure(Base):
    """The last published version of a procedure; its term is NULL where none is published."""

    __tablename__ = "procedure"

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    active: Mapped[bool]
    term_duration: Mapped[int | None]
    term_unit: Mapped[str | None]
    term_same_day: Mapped[bool | None]
