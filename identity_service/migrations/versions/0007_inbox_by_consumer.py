"""Key the inbox by the name of the consumer and the id of the event."""

from alembic import op

revision = "0007"
down_revision = "0006"

# The default is a constant, so that no row is written anew; the worker of an earlier version, which
# inserts ids alone, goes on until it is replaced. Only the index of the key is built anew.
STATEMENTS = (
    "ALTER TABLE handled_event ADD COLUMN consumer VARCHAR NOT NULL DEFAULT 'identity_service'",
    "ALTER TABLE handled_event DROP CONSTRAINT handled_event_pkey",
    "ALTER TABLE handled_event ADD PRIMARY KEY (consumer, id)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
