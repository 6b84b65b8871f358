"""The catalogue, agencies, dossiers with what belongs to them; and the tables of the mechanics."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.runtime.migrations import create_infrastructure_tables_1

revision = "0001"
down_revision = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    create_infrastructure_tables_1()
    _create_catalogue()
    _create_agencies()
    _create_dossier()
    _create_parts()
    _create_course()
    _create_parties()
    for table in ("procedure_version", "dossier_step"):
        _make_immutable(table)


def _create_catalogue() -> None:
    op.create_table(
        "procedure_version",
        sa.Column("code", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("valid_from", TIME, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
    )
    op.create_table(
        "procedure",
        sa.Column("code", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("plain_name", sa.String(), nullable=False),
        sa.Column("owner", sa.String()),
        sa.Column("levels", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("sector", sa.String(), nullable=False),
        sa.Column("essential", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["code", "version"], ["procedure_version.code", "procedure_version.version"]
        ),
    )
    op.create_table(
        "catalogue_import",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), primary_key=True),
        sa.Column("at", TIME, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", postgresql.JSONB(), nullable=False),
    )
    op.create_index(op.f("ix_catalogue_import_digest"), "catalogue_import", ["digest"])


def _create_agencies() -> None:
    op.create_table(
        "agency",
        sa.Column("code", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date()),
        sa.Column("successor", sa.String()),
    )
    op.create_table(
        "dossier_serial",
        sa.Column("agency", sa.String(), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("serial", sa.Integer(), nullable=False),
    )


def _create_dossier() -> None:
    op.create_table(
        "dossier",
        sa.Column("code", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("external_code", sa.String()),
        sa.Column("procedure", sa.String(), nullable=False),
        sa.Column("procedure_version", sa.Integer(), nullable=False),
        sa.Column("channel", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("previous_status", sa.SmallInteger()),
        sa.Column("moved_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("helped_by", sa.String()),
        sa.Column("received_by", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("filed_at", TIME, nullable=False),
        sa.Column("reception_due_at", TIME),
        sa.Column("received_at", TIME),
        sa.Column("due_at", TIME),
        sa.Column("latest_at", TIME),
        sa.Column("due_before_supplement", TIME),
        sa.Column("finished_at", TIME),
        sa.Column("person", sa.String()),
        sa.Column("summary", sa.String()),
        sa.Column("reason", sa.String()),
        sa.Column("note", sa.String()),
        sa.ForeignKeyConstraint(
            ["procedure", "procedure_version"],
            ["procedure_version.code", "procedure_version.version"],
        ),
    )


def _of_dossier() -> sa.Column[Any]:
    return sa.Column("dossier", sa.String(), sa.ForeignKey("dossier.code"), primary_key=True)


def _create_parts() -> None:
    op.create_table(
        "dossier_applicant",
        _of_dossier(),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("personal_number", sa.String()),
        sa.Column("organisation_number", sa.String()),
        sa.Column("birth_date", sa.String()),
        sa.Column("phone", sa.String()),
        sa.Column("email", sa.String()),
        sa.Column("address", sa.String()),
    )
    op.create_table(
        "dossier_document",
        _of_dossier(),
        sa.Column("position", sa.SmallInteger(), primary_key=True),
        sa.Column("paper", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
    )
    op.create_table(
        "dossier_fee",
        _of_dossier(),
        sa.Column("code", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("amount_vnd", sa.BigInteger(), nullable=False),
        sa.Column("when", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("paid_at", TIME),
        sa.Column("method", sa.String()),
        sa.Column("reference", sa.String()),
        sa.UniqueConstraint("dossier", "reference"),
    )


def _create_course() -> None:
    op.create_table(
        "dossier_result",
        _of_dossier(),
        sa.Column("version", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("electronic", sa.Boolean(), nullable=False),
        sa.Column("file_sha256", sa.String()),
        sa.Column("issued_at", TIME, nullable=False),
        sa.Column("recalled_at", TIME),
    )
    op.create_table(
        "dossier_step",
        _of_dossier(),
        sa.Column("version", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("from_status", sa.SmallInteger()),
        sa.Column("to_status", sa.SmallInteger(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("officer", sa.String()),
        sa.Column("step", sa.String()),
        sa.Column("reason", sa.String()),
        sa.Column("note", sa.String()),
    )


def _create_parties() -> None:
    op.create_table(
        "dossier_party",
        _of_dossier(),
        sa.Column("agency", sa.String(), primary_key=True),
        sa.Column("filed_at", TIME, nullable=False),
        sa.Column("procedure", sa.String(), nullable=False),
        sa.Column("channel", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", TIME),
        sa.Column("finished_at", TIME),
    )
    newest = [sa.text("filed_at DESC"), sa.text("dossier DESC")]
    op.create_index(
        "dossier_party_newest",
        "dossier_party",
        ["agency", *newest],
        postgresql_include=["procedure"],
    )
    op.create_index("dossier_party_status", "dossier_party", ["agency", "status", *newest])
    op.create_index("dossier_party_channel", "dossier_party", ["agency", "channel", *newest])
    op.create_index("dossier_party_procedure", "dossier_party", ["agency", "procedure", *newest])
    op.create_index(
        "dossier_party_open",
        "dossier_party",
        ["agency", *newest],
        postgresql_where=sa.text("finished_at IS NULL AND due_at IS NOT NULL"),
    )


def _make_immutable(table: str) -> None:
    op.execute(
        f"CREATE FUNCTION {table}_stays() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'rows of {table} are never changed'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION {table}_stays()"
    )
