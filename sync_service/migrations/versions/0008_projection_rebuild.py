"""Store how far the rebuilding of a projection has come, so that it can be continued."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute(
        """CREATE TABLE projection_rebuild (
            projection VARCHAR PRIMARY KEY, version BIGINT NOT NULL, stage VARCHAR NOT NULL,
            position JSONB NOT NULL)"""
    )
