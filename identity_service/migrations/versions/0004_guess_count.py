"""Counts of claims about people that were wrong."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "guess_count",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("caller", sa.String(), nullable=False),
        sa.Column("officer", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.Column("sequential", sa.Integer(), nullable=False),
        sa.Column("blocks", sa.Integer(), nullable=False),
        sa.Column("blocked_at", sa.DateTime(timezone=True)),
        sa.Column("blocked_until", sa.DateTime(timezone=True)),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", "caller", "officer", "person"),
    )
    op.create_index("ix_guess_count_blocked_at", "guess_count", ["blocked_at"])
    op.create_index("ix_guess_count_expires_at", "guess_count", ["expires_at"])
