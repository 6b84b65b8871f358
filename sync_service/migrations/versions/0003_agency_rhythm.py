"""The rhythm of each agency: what its silence is held against, kept and not counted again."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    """CREATE TABLE agency_rhythm (
        agency VARCHAR PRIMARY KEY, last_hour TIMESTAMPTZ NOT NULL, longest_pause INTERVAL)""",
    """INSERT INTO agency_rhythm
        SELECT agency, max(hour), max(hour - before) FROM (
            SELECT agency, hour, lag(hour) OVER (PARTITION BY agency ORDER BY hour) AS before
            FROM heard_hour) AS heard
        GROUP BY agency""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
