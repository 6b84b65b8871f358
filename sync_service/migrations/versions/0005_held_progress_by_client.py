"""An index of held progress by client, to count the rows of one."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("CREATE INDEX held_progress_source ON held_progress (source, code)")
