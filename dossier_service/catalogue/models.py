"""The tables of the catalogue of procedures."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, Identity, String
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from dossier_service.database import Base


class ProcedureVersion(Base):
    """A published version of a procedure; the database refuses to change or delete it."""

    __tablename__ = "procedure_version"

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    valid_from: Mapped[datetime]
    digest: Mapped[bytes]
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)


class CurrentProcedure(Base):
    """The version in force of each procedure, with the columns that lists are searched by."""

    __tablename__ = "procedure"
    __table_args__ = (
        ForeignKeyConstraint(
            ["code", "version"], ["procedure_version.code", "procedure_version.version"]
        ),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    digest: Mapped[bytes]
    name: Mapped[str]
    # the name in small letters without diacritics
    plain_name: Mapped[str]
    owner: Mapped[str | None]
    levels: Mapped[list[str]] = mapped_column(ARRAY(String))
    sector: Mapped[str]
    essential: Mapped[bool]


class CatalogueImport(Base):
    """An import with its time and its report, which accounts for every line of the file."""

    __tablename__ = "catalogue_import"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime]
    source: Mapped[str]
    digest: Mapped[bytes] = mapped_column(index=True)
    outcome: Mapped[dict[str, Any]] = mapped_column(JSONB)
