"""Agencies, client systems, access rights, signing keys, and the stand-in register of people."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from shared.events import AgencyChanged, ClientChanged, GrantChanged


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012 -- SQLAlchemy's form


def _agency_link(**options: Any) -> Any:
    """Deferred: a list of agencies names parents and successors that stand further down in it."""
    key = ForeignKey("agency.code", deferrable=True, initially="DEFERRED")
    return mapped_column(key, **options)


class Agency(Base):
    __tablename__ = "agency"
    __table_args__ = (
        CheckConstraint(
            "level IN ('central', 'province', 'commune', 'enterprise', 'other')",
            name="agency_level",
        ),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column()
    old_code: Mapped[str | None]
    name: Mapped[str]
    search_name: Mapped[str]  # without diacritics
    level: Mapped[str] = mapped_column(index=True)
    parent: Mapped[str | None] = _agency_link(index=True)
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]  # last day
    successor: Mapped[str | None] = _agency_link()
    unit_code: Mapped[str | None]
    confirmed: Mapped[bool]

    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}  # noqa: RUF012

    def existed_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def reopen(self) -> None:
        self.valid_to = self.successor = None
        self.version += 1

    def close(self, last_day: date, *, successor: str) -> None:
        self.valid_to, self.successor = last_day, successor
        self.version += 1

    def changed(self) -> AgencyChanged:
        return AgencyChanged(
            version=self.version,
            at=datetime.now(UTC),
            code=self.code,
            name=self.name,
            level=self.level,
            parent=self.parent,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            successor=self.successor,
        )


class Client(Base):
    """A system that calls: it belongs to an agency, which answers for what it does."""

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

    def changed(self) -> ClientChanged:
        return ClientChanged(
            version=self.version,
            at=datetime.now(UTC),
            client_id=self.client_id,
            agency=self.agency,
            active=self.active,
        )


class ClientKey(Base):
    """A public key by which a client proves who it is (RFC 7523)."""

    __tablename__ = "client_key"

    client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id"), primary_key=True)
    kid: Mapped[str] = mapped_column(primary_key=True)
    jwk: Mapped[dict[str, str]] = mapped_column(JSONB)
    added_at: Mapped[datetime]


class Proposal(Base):
    """An act that one operator asked for, until another asks for the same.

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
    """An assertion or proof of a client that was taken once, until it ends by itself."""

    __tablename__ = "used_assertion"

    client_id: Mapped[str] = mapped_column(primary_key=True)
    jti: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime]


class Grant(Base):
    """An access right; None in a list means all.

    It ends with each of the grants that it rests on, which are the giver's own. A grant of an
    operator rests on none.
    """

    __tablename__ = "access_grant"  # GRANT is a word of SQL
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

    def changed(self) -> GrantChanged:
        return GrantChanged(
            version=self.version,
            at=datetime.now(UTC),
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


class SigningKey(Base):
    """A key for access tokens: published from its first day, signing from `signs_from`."""

    __tablename__ = "signing_key"

    kid: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)  # PKCS #8 in PEM, under Fernet
    jwk: Mapped[dict[str, str]] = mapped_column(JSONB)
    signs_from: Mapped[datetime]


class RegisteredPerson(Base):
    """One person of the register, found by the keyed hash of the personal number.

    Only what is compared is kept: of the name its keys, and not the number itself, so that a copy
    of this table alone names nobody's number.
    """

    __tablename__ = "person"
    __table_args__ = (
        CheckConstraint("status IN ('ALIVE', 'DECEASED', 'LOCKED')", name="person_status"),
    )

    person: Mapped[bytes] = mapped_column(primary_key=True)
    name_key: Mapped[str]
    bare_name_key: Mapped[str]
    sex: Mapped[int] = mapped_column(SmallInteger)
    birth_date: Mapped[str | None]  # ISO 8601, cut at its precision
    residence_province: Mapped[str | None]
    residence_commune: Mapped[str | None]
    status: Mapped[str]
    told: Mapped[str | None]  # what a persona answers whatever is asked


class GuessCount(Base):
    """How often a caller was wrong about one person, or about all; see `guesses.Holder`."""

    __tablename__ = "guess_count"

    scope: Mapped[str] = mapped_column(primary_key=True)
    caller: Mapped[str] = mapped_column(primary_key=True)
    officer: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int]
    misses: Mapped[int]
    sequential: Mapped[int]
    blocks: Mapped[int]
    blocked_at: Mapped[datetime | None] = mapped_column(index=True)
    blocked_until: Mapped[datetime | None]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class PeopleLoad(Base):
    """How many people of which seed the register holds; numbers are unique within one seed."""

    __tablename__ = "people_load"

    seed: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    loaded: Mapped[int]
