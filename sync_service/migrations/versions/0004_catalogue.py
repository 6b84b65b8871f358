"""The catalogue of procedures, and since when an agency acts: what pushed rows are held against."""

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    """CREATE TABLE procedure (
        code VARCHAR PRIMARY KEY, version BIGINT NOT NULL, active BOOLEAN NOT NULL,
        term_duration INTEGER, term_unit VARCHAR, term_same_day BOOLEAN)""",
    "ALTER TABLE agency ADD COLUMN valid_from DATE",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
