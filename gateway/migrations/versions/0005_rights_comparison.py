"""Note when the rights were last compared with those of identity_service."""

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = (
    """CREATE TABLE rights_comparison (
        single BOOLEAN DEFAULT true NOT NULL,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT rights_comparison_single CHECK (single),
        PRIMARY KEY (single)
    )""",
    # A gateway in use knows its rights; it goes on also where identity cannot be reached just now.
    """INSERT INTO rights_comparison (at)
        SELECT now() WHERE EXISTS (SELECT FROM client_in_force)""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
