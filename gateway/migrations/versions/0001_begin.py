"""begin"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from shared.runtime.migrations import create_infrastructure_tables_1

revision = "0001"
down_revision = None

# Each gateway process listens, and reads again what changed.
TELL_RIGHTS = """CREATE FUNCTION rights_changed() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_notify('rights', NEW.client_id); RETURN NULL; END $$"""
# Against accidents; against intent there are the seals.
KEEP_SEALED = """CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE 'the access ledger is append-only'; END $$"""


def upgrade() -> None:
    create_infrastructure_tables_1()
    _create_rights()
    _create_ledger()
    _index_records()
    op.execute(TELL_RIGHTS)
    for table in ("grant_in_force", "client_in_force"):
        op.execute(
            f"CREATE TRIGGER {table}_changed AFTER INSERT OR UPDATE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION rights_changed()"
        )
    op.execute(KEEP_SEALED)
    for table in ("ledger_seal", "access_record"):
        op.execute(
            f"CREATE TRIGGER {table}_sealed BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _create_rights() -> None:
    op.create_table(
        "grant_in_force",
        sa.Column("grant_id", sa.Uuid(), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("operations", ARRAY(TEXT), nullable=False),
        sa.Column("procedures", ARRAY(TEXT)),
        sa.Column("fields", ARRAY(TEXT)),
        sa.Column("agencies", ARRAY(TEXT)),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True)),
        sa.Column("legal_basis", sa.String(), nullable=False),
        sa.Column("per_second", sa.Integer()),
        sa.Column("per_day", sa.Integer()),
        sa.Column("revoked", sa.Boolean(), nullable=False),
    )
    op.create_index("grant_in_force_client", "grant_in_force", ["client_id"])
    op.create_table(
        "client_in_force",
        sa.Column("client_id", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "known_agency",
        sa.Column("code", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
    )


def _create_ledger() -> None:
    op.create_table(
        "ledger_chain",
        sa.Column("chain", sa.String(), primary_key=True),
        sa.Column("anchored", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.create_table(
        "ledger_seal",
        sa.Column("chain", sa.String(), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("header", sa.String(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("leaves", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "access_record",
        sa.Column("chain", sa.String(), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("index", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agency", sa.String()),
        sa.Column("client", sa.String()),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("purpose", sa.String()),
        sa.Column("dossier", sa.String()),
        sa.Column("subjects", ARRAY(TEXT), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
    )


def _index_records() -> None:
    op.create_index("access_record_id", "access_record", ["id"])
    op.create_index("access_record_at", "access_record", ["at", "id"])
    op.create_index("access_record_agency", "access_record", ["agency", "at", "id"])
    op.create_index("access_record_client", "access_record", ["client", "at", "id"])
    op.create_index(
        "access_record_dossier",
        "access_record",
        ["dossier", "at", "id"],
        postgresql_where=sa.text("dossier IS NOT NULL"),
    )
    op.create_index(
        "access_record_subjects",
        "access_record",
        ["subjects"],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
