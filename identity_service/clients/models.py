"""Define the tables of clients, their keys, pending acts and used assertions."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from identity_service.database import Base
from shared.events import ClientChanged


class Client(Base):
    """A client is a calling system; its agency is responsible for its calls."""

    __tablename__ = "client"
    __table_args__ = (
        CheckConstraint("kind IN ('sandbox', 'production')", name="client_kind"),
        CheckConstraint(
            "secret_digest IS NULL OR kind = 'sandbox'", name="client_secret_is_of_the_sandbox"
        ),
    )

    client_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column()
    agency: Mapped[str] = mapped_column(ForeignKey("agency.code"), index=True)
    name: Mapped[str]
    kind: Mapped[str]
    operator: Mapped[bool]
    active: Mapped[bool]
    secret_digest: Mapped[str | None]
    keys: Mapped[list["ClientKey"]] = relationship(
        lazy="raise", order_by="ClientKey.added_at", cascade="all, delete-orphan"
    )

    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}  # noqa: RUF012

    def set_active(self, *, active: bool) -> None:
        self.active = active
        self.version += 1

    def build_event(self, now: datetime) -> ClientChanged:
        return ClientChanged(
            version=self.version,
            at=now,
            client_id=self.client_id,
            agency=self.agency,
            active=self.active,
        )


class ClientKey(Base):
    """A client authenticates by signatures that its public keys verify (RFC 7523)."""

    __tablename__ = "client_key"

    client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id"), primary_key=True)
    kid: Mapped[str] = mapped_column(primary_key=True)
    jwk: Mapped[dict[str, str]] = mapped_column(JSONB)
    added_at: Mapped[datetime]


class Proposal(Base):
    """A row is an act that one operator requested and that waits for a second operator.

    `target` is the client or the agency. `about` is the kid or the grant, the digest of a key or
    of an agency's registration, or empty.
    """

    __tablename__ = "proposal"

    target: Mapped[str] = mapped_column(primary_key=True)
    act: Mapped[str] = mapped_column(primary_key=True)
    about: Mapped[str] = mapped_column(primary_key=True)
    proposed_by: Mapped[str]
    proposed_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class UsedAssertion(Base):
    """A row keeps a used assertion or proof until it expires, so that it is not used again."""

    __tablename__ = "used_assertion"

    client_id: Mapped[str] = mapped_column(primary_key=True)
    jti: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime]
