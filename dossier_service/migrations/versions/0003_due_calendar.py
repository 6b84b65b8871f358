"""Store the calendars that a due date rests on."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("dossier", sa.Column("due_calendar", sa.String()))
    op.create_index(
        "dossier_provisional",
        "dossier",
        ["code"],
        postgresql_where=sa.text("finished_at IS NULL AND due_calendar LIKE '%?%'"),
    )
