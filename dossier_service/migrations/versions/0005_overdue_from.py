"""Store from which day on an open dossier counts as late, and how often papers were requested."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_COUNT_REQUESTS = """
    UPDATE dossier SET requests = course.requests FROM (
        SELECT dossier, count(*) AS requests
        FROM dossier_step AS step JOIN dossier AS of ON of.code = step.dossier
        WHERE act = 'moved' AND to_status = 5 AND (received_at IS NULL OR at >= received_at)
        GROUP BY dossier) AS course
    WHERE dossier.code = course.dossier"""
# A dossier that waits for papers is judged at the request, any other open one by its due day.
_JUDGE = """
    WITH open AS (
        SELECT code, status, requests,
            (coalesce(due_at, latest_at) AT TIME ZONE 'Asia/Ho_Chi_Minh')::date + 1 AS late,
            (moved_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS requested
        FROM dossier
        WHERE finished_at IS NULL AND coalesce(due_at, latest_at) IS NOT NULL),
    judged AS (
        SELECT code, CASE
            WHEN status <> 5 THEN late
            WHEN requests > 1 OR requested >= late THEN least(late, requested) END AS overdue_from
        FROM open)
    UPDATE dossier_party AS party SET overdue_from = judged.overdue_from FROM judged
    WHERE party.dossier = judged.code AND judged.overdue_from IS NOT NULL"""


def upgrade() -> None:
    op.add_column(
        "dossier", sa.Column("requests", sa.Integer(), nullable=False, server_default="0")
    )
    op.alter_column("dossier", "requests", server_default=None)
    op.add_column("dossier_party", sa.Column("overdue_from", sa.Date()))
    op.execute(_COUNT_REQUESTS)
    op.execute(_JUDGE)
    # Overdue dossiers may lack a due date of their own: the index holds all that are open.
    op.drop_index("dossier_party_open", "dossier_party")
    op.create_index(
        "dossier_party_open",
        "dossier_party",
        ["agency", sa.text("filed_at DESC"), sa.text("dossier DESC")],
        postgresql_include=["due_at", "overdue_from"],
        postgresql_where=sa.text("finished_at IS NULL"),
    )
