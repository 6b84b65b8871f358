"""The tables of dossiers and of the catalogue; who is responsible for a dossier stands here too."""

from datetime import date, datetime
from enum import IntEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    SmallInteger,
    String,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from shared.events.codes import Channel, DossierStatus

Number = TypeVar("Number", bound=IntEnum)


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012 -- read by SQLAlchemy


class Numbered(TypeDecorator[Number], Generic[Number]):
    """A member of an enumeration, stored by the number that the national format gives it."""

    impl = SmallInteger
    cache_ok = True

    def __init__(self, numbers: type[Number]) -> None:
        super().__init__()
        self.numbers = numbers

    def process_bind_param(self, value: Number | None, _: Dialect) -> int | None:
        return None if value is None else int(value)

    def process_result_value(self, value: Any | None, _: Dialect) -> Number | None:
        return None if value is None else self.numbers(value)


def _of_dossier() -> Any:
    return mapped_column(ForeignKey("dossier.code"), primary_key=True)


class ProcedureVersion(Base):
    """Immutable: the database refuses to change or delete a row."""

    __tablename__ = "procedure_version"

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    valid_from: Mapped[datetime]
    digest: Mapped[bytes]
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)


class CurrentProcedure(Base):
    """The version in force of each procedure, with what lists are searched by."""

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
    """What was imported when, with its report: nothing was dropped silently."""

    __tablename__ = "catalogue_import"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime]
    source: Mapped[str]
    digest: Mapped[bytes] = mapped_column(index=True)
    outcome: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Agency(Base):
    """What the registry of agencies told; `valid_to` is the last day, both days inclusive."""

    __tablename__ = "agency"

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    name: Mapped[str]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    successor: Mapped[str | None]


class DossierSerial(Base):
    """The last serial that an agency gave out on a day."""

    __tablename__ = "dossier_serial"

    agency: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    serial: Mapped[int]


class Dossier(Base):
    """`previous_status` led to `status`, at `moved_at`; `version` is of `changed_at`.

    `person` is the applicant's keyed hash.
    """

    __tablename__ = "dossier"
    __table_args__ = (
        ForeignKeyConstraint(
            ["procedure", "procedure_version"],
            ["procedure_version.code", "procedure_version.version"],
        ),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column()
    external_code: Mapped[str | None]
    procedure: Mapped[str]
    procedure_version: Mapped[int]
    channel: Mapped[Channel] = mapped_column(Numbered(Channel))
    status: Mapped[DossierStatus] = mapped_column(Numbered(DossierStatus))
    previous_status: Mapped[DossierStatus | None] = mapped_column(Numbered(DossierStatus))
    moved_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    helped_by: Mapped[str | None]
    received_by: Mapped[str]
    decided_by: Mapped[str]
    filed_at: Mapped[datetime]
    reception_due_at: Mapped[datetime | None]
    received_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    # where the channel gives no due date: the end of the longest term of the procedure
    latest_at: Mapped[datetime | None]
    due_before_supplement: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    person: Mapped[str | None]
    summary: Mapped[str | None]
    # why it stands where it stands: a code, and the officer's words
    reason: Mapped[str | None]
    note: Mapped[str | None]

    applicant: Mapped["DossierApplicant"] = relationship(lazy="raise")
    documents: Mapped[list["DossierDocument"]] = relationship(
        lazy="raise", order_by="DossierDocument.position"
    )
    fees: Mapped[list["DossierFee"]] = relationship(lazy="raise", order_by="DossierFee.code")
    results: Mapped[list["DossierResult"]] = relationship(
        lazy="raise", order_by="DossierResult.version"
    )

    # The writer who read an older version loses: two clerks cannot overwrite each other.
    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}  # noqa: RUF012

    @property
    def responsible_agency(self) -> str:
        """Exactly one at any time: who decides while it is handled, else who receives."""
        is_handled = self.status in {DossierStatus.PROCESSING, DossierStatus.STOPPED}
        lacks_papers = self.status is DossierStatus.SUPPLEMENT_REQUESTED
        if is_handled or (lacks_papers and self.received_at is not None):
            return self.decided_by
        return self.received_by


class DossierApplicant(Base):
    """What the applicant gave of themself; `birth_date` may lack its day and month.

    Free text elsewhere may name them too: papers, results, the summary, the officer's words.
    """

    __tablename__ = "dossier_applicant"

    dossier: Mapped[str] = _of_dossier()
    kind: Mapped[int] = mapped_column(SmallInteger)
    name: Mapped[str]
    personal_number: Mapped[str | None]
    organisation_number: Mapped[str | None]
    birth_date: Mapped[str | None]
    phone: Mapped[str | None]
    email: Mapped[str | None]
    address: Mapped[str | None]


class DossierDocument(Base):
    __tablename__ = "dossier_document"

    dossier: Mapped[str] = _of_dossier()
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    paper: Mapped[str]
    name: Mapped[str]
    kind: Mapped[str]


class DossierFee(Base):
    """A fee as the catalogue had it at filing; open until `paid_at`. One payment pays one fee."""

    __tablename__ = "dossier_fee"
    __table_args__ = (UniqueConstraint("dossier", "reference"),)

    dossier: Mapped[str] = _of_dossier()
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    amount_vnd: Mapped[int] = mapped_column(BigInteger)
    when: Mapped[str]
    kind: Mapped[str]
    paid_at: Mapped[datetime | None]
    method: Mapped[str | None]
    reference: Mapped[str | None]


class DossierResult(Base):
    """`version` is that of the dossier which it made; a recalled one no longer answers it."""

    __tablename__ = "dossier_result"

    dossier: Mapped[str] = _of_dossier()
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    code: Mapped[str]
    number: Mapped[str]
    title: Mapped[str]
    electronic: Mapped[bool]
    file_sha256: Mapped[str | None]
    issued_at: Mapped[datetime]
    recalled_at: Mapped[datetime | None]


class DossierStep(Base):
    """The history: one row for each version of a dossier, never changed."""

    __tablename__ = "dossier_step"

    dossier: Mapped[str] = _of_dossier()
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    act: Mapped[str]
    at: Mapped[datetime]
    from_status: Mapped[DossierStatus | None] = mapped_column(Numbered(DossierStatus))
    to_status: Mapped[DossierStatus] = mapped_column(Numbered(DossierStatus))
    client: Mapped[str]
    officer: Mapped[str | None]
    step: Mapped[str | None]
    reason: Mapped[str | None]
    note: Mapped[str | None]


class DossierParty(Base):
    """Whose lists a dossier stands in: its agencies, all above them, and "" for the country.

    A list is then one range of an index, however many dossiers there are.
    """

    __tablename__ = "dossier_party"

    dossier: Mapped[str] = _of_dossier()
    agency: Mapped[str] = mapped_column(primary_key=True)
    filed_at: Mapped[datetime]
    procedure: Mapped[str]
    channel: Mapped[Channel] = mapped_column(Numbered(Channel))
    status: Mapped[DossierStatus] = mapped_column(Numbered(DossierStatus))
    due_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


_NEWEST = (DossierParty.filed_at.desc(), DossierParty.dossier.desc())
# With the procedure: a right to some of them is then read from the index alone.
Index("dossier_party_newest", DossierParty.agency, *_NEWEST, postgresql_include=["procedure"])
Index("dossier_party_status", DossierParty.agency, DossierParty.status, *_NEWEST)
Index("dossier_party_channel", DossierParty.agency, DossierParty.channel, *_NEWEST)
Index("dossier_party_procedure", DossierParty.agency, DossierParty.procedure, *_NEWEST)
Index(
    "dossier_party_open",
    DossierParty.agency,
    *_NEWEST,
    postgresql_where=text("finished_at IS NULL AND due_at IS NOT NULL"),
)
