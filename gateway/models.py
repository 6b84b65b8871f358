"""What the gateway keeps: the rights it heard of, and the access ledger."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The gateway's own tables."""


class GrantInForce(Base):
    """A grant as identity last told it; None in `procedures`, `fields`, `agencies` means all."""

    __tablename__ = "grant_in_force"
    __table_args__ = (Index("grant_in_force_client", "client_id"),)

    grant_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    client_id: Mapped[str]
    operations: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    procedures: Mapped[list[str] | None] = mapped_column(ARRAY(TEXT))
    fields: Mapped[list[str] | None] = mapped_column(ARRAY(TEXT))
    agencies: Mapped[list[str] | None] = mapped_column(ARRAY(TEXT))
    valid_from: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    valid_to: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    legal_basis: Mapped[str]
    per_second: Mapped[int | None]
    per_day: Mapped[int | None]
    revoked: Mapped[bool]


class ClientInForce(Base):
    """A client system as identity last told it."""

    __tablename__ = "client_in_force"

    client_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    agency: Mapped[str]
    active: Mapped[bool]


class KnownAgency(Base):
    """The name of an agency, for who reads the ledger."""

    __tablename__ = "known_agency"

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    name: Mapped[str]


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


class LedgerChain(Base):
    """A chain of seals; `anchored` is the number of the last one told on the axis."""

    __tablename__ = "ledger_chain"

    chain: Mapped[str] = mapped_column(primary_key=True)
    anchored: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class LedgerSeal(Base):
    """A sealed batch: `header` is the exact text that was signed, `leaves` 32 bytes a record."""

    __tablename__ = "ledger_seal"

    chain: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    count: Mapped[int]
    header: Mapped[str]
    signature: Mapped[bytes]
    leaves: Mapped[bytes]


class StoredRecord(Base):
    """A record: `record` is what was sealed, the columns beside it only find it again."""

    __tablename__ = "access_record"
    __table_args__ = (
        Index("access_record_id", "id"),
        Index("access_record_at", "at", "id"),
        Index("access_record_agency", "agency", "at", "id"),
        Index("access_record_client", "client", "at", "id"),
        Index(
            "access_record_dossier",
            "dossier",
            "at",
            "id",
            postgresql_where=text("dossier IS NOT NULL"),
        ),
        # Without the list of pending entries, whose emptying would stop some batch for long.
        Index(
            "access_record_subjects",
            "subjects",
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        ),
    )

    chain: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    id: Mapped[UUID]
    agency: Mapped[str | None]
    client: Mapped[str | None]
    operation: Mapped[str]
    purpose: Mapped[str | None]
    dossier: Mapped[str | None]
    subjects: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    outcome: Mapped[str]
    record: Mapped[bytes]
