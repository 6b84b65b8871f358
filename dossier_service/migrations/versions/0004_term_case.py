"""Store the case whose term a due date follows."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("dossier", sa.Column("term_case", sa.String()))
