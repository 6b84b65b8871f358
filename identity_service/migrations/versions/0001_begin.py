"""Agencies, clients, access rights, keys, the register; and the tables of the mechanics."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.runtime.migrations import create_infrastructure_tables_1

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_infrastructure_tables_1()
    _create_agencies()
    _create_clients()
    _create_grants()
    _create_keys()
    _create_register()


def _create_agencies() -> None:
    op.create_table(
        "agency",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("old_code", sa.String()),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("search_name", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("parent", sa.String()),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date()),
        sa.Column("successor", sa.String()),
        sa.Column("unit_code", sa.String()),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "level IN ('central', 'province', 'commune', 'enterprise', 'other')",
            name="agency_level",
        ),
        sa.ForeignKeyConstraint(["parent"], ["agency.code"], initially="DEFERRED", deferrable=True),
        sa.ForeignKeyConstraint(
            ["successor"], ["agency.code"], initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index("ix_agency_level", "agency", ["level"])
    op.create_index("ix_agency_parent", "agency", ["parent"])


def _create_clients() -> None:
    op.create_table(
        "client",
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("operator", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("secret_digest", sa.String()),
        sa.CheckConstraint("kind IN ('sandbox', 'production')", name="client_kind"),
        sa.CheckConstraint(
            "secret_digest IS NULL OR kind = 'sandbox'", name="client_secret_is_of_the_sandbox"
        ),
        sa.ForeignKeyConstraint(["agency"], ["agency.code"]),
        sa.PrimaryKeyConstraint("client_id"),
    )
    op.create_index("ix_client_agency", "client", ["agency"])


def _create_grants() -> None:
    op.create_table(
        "access_grant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("operations", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("procedures", postgresql.ARRAY(sa.String())),
        sa.Column("fields", postgresql.ARRAY(sa.String())),
        sa.Column("agencies", postgresql.ARRAY(sa.String())),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True)),
        sa.Column("legal_basis", sa.String(), nullable=False),
        sa.Column("per_second", sa.Integer()),
        sa.Column("per_day", sa.Integer()),
        sa.Column("given_by", sa.String(), nullable=False),
        sa.Column("given_by_officer", sa.String()),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_by", sa.String()),
        sa.Column("revoked_by_officer", sa.String()),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["client_id"], ["client.client_id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_access_grant_client_id", "access_grant", ["client_id"])


def _create_keys() -> None:
    op.create_table(
        "client_key",
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("jwk", postgresql.JSONB(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.client_id"]),
        sa.PrimaryKeyConstraint("client_id", "kid"),
    )
    op.create_table(
        "used_assertion",
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("jti", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "jti"),
    )
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("jwk", postgresql.JSONB(), nullable=False),
        sa.Column("signs_from", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kid"),
    )


def _create_register() -> None:
    op.create_table(
        "person",
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("name_key", sa.String(), nullable=False),
        sa.Column("bare_name_key", sa.String(), nullable=False),
        sa.Column("sex", sa.SmallInteger(), nullable=False),
        sa.Column("birth_date", sa.String()),
        sa.Column("residence_province", sa.String()),
        sa.Column("residence_commune", sa.String()),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("told", sa.String()),
        sa.CheckConstraint("status IN ('ALIVE', 'DECEASED', 'LOCKED')", name="person_status"),
        sa.PrimaryKeyConstraint("person"),
    )
    op.create_table(
        "people_load",
        sa.Column("seed", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("loaded", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("seed"),
    )
