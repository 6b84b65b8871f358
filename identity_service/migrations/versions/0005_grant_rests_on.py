"""The grants by which a giver below the operator gave a grant."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column(
        "access_grant",
        sa.Column("rests_on", ARRAY(sa.Uuid()), nullable=False, server_default="{}"),
    )
    op.create_index(
        "ix_access_grant_rests_on", "access_grant", ["rests_on"], postgresql_using="gin"
    )
