"""Define the table of grants."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ForeignKey,
    Index,
    String,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from identity_service.database import Base
from shared.events import GrantChanged


class Grant(Base):
    """A grant gives a client an access right; None in a list means all.

    It ends with any of the grants that it rests on, which are the giver's own. A grant of an
    operator rests on none.
    """

    __tablename__ = "access_grant"  # GRANT is reserved in SQL
    __table_args__ = (Index("ix_access_grant_rests_on", "rests_on", postgresql_using="gin"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column()
    client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id"), index=True)
    operations: Mapped[list[str]] = mapped_column(ARRAY(String))
    procedures: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    fields: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    agencies: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]
    legal_basis: Mapped[str]
    per_second: Mapped[int | None]
    per_day: Mapped[int | None]
    rests_on: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), default=list, server_default="{}")
    given_by: Mapped[str]  # the client
    given_by_officer: Mapped[str | None]
    given_at: Mapped[datetime]
    revoked_by: Mapped[str | None]
    revoked_by_officer: Mapped[str | None]
    revoked_at: Mapped[datetime | None]

    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}  # noqa: RUF012

    @property
    def revoked(self) -> bool:
        return self.revoked_at is not None

    def revoke(self, *, by: str, officer: str | None, at: datetime) -> None:
        self.revoked_by, self.revoked_by_officer, self.revoked_at = by, officer, at
        self.version += 1

    def build_event(self, now: datetime) -> GrantChanged:
        return GrantChanged(
            version=self.version,
            at=now,
            grant_id=self.id,
            client_id=self.client_id,
            operations=self.operations,
            procedures=self.procedures,
            fields=self.fields,
            agencies=self.agencies,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            legal_basis=self.legal_basis,
            per_second=self.per_second,
            per_day=self.per_day,
            revoked=self.revoked,
        )
