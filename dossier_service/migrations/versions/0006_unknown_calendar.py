"""Mark due dates that do not name their calendar: they rest on an unknown version of each year."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # Version 0 with a ? is provisional, and the worker computes the due date again.
    op.execute(
        """
        UPDATE dossier SET due_calendar = (
            SELECT string_agg(year || '/0?', ' ' ORDER BY year) FROM generate_series(
                extract(year FROM received_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::int,
                extract(year FROM coalesce(due_at, latest_at) AT TIME ZONE 'Asia/Ho_Chi_Minh')::int
            ) AS year)
        WHERE due_calendar IS NULL AND received_at IS NOT NULL
            AND coalesce(due_at, latest_at) IS NOT NULL"""
    )
