"""Declare the tables of grants and clients."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import Base


class GrantInForce(Base):
    """The newest published state of a grant; NULL in a limit (`fields` …) means all."""

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
    """The newest published state of a client system."""

    __tablename__ = "client_in_force"

    client_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    agency: Mapped[str]
    active: Mapped[bool]


class RightsComparison(Base):
    """One row, since the rights were first compared with those of identity: when they last were."""

    __tablename__ = "rights_comparison"
    __table_args__ = (CheckConstraint("single", name="rights_comparison_single"),)

    single: Mapped[bool] = mapped_column(primary_key=True, server_default="true")
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
