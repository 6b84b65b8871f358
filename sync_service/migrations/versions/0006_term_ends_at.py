"""The end of the longest term apart from the waits for papers that move it on.

Dossiers that were pushed before get theirs from the timer that looks for terms.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

STATEMENTS = (
    "ALTER TABLE national_dossier ADD COLUMN term_ends_at TIMESTAMPTZ",
    """CREATE INDEX national_dossier_without_term ON national_dossier (code)
        WHERE due_at IS NULL AND term_ends_at IS NULL AND received_at IS NOT NULL
            AND source <> '/dossier_service'""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
