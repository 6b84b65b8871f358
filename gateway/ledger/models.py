"""Declare the tables of the access ledger."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import Base


class LedgerChain(Base):
    """A chain of seals; `anchored` is the number of the last published one."""

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
    """A record: `record` is the sealed text, the other columns are for search only."""

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
        # A pending list would delay the batch that has to merge it.
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
