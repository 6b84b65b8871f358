"""Keep a check value of each secret that the data depends on."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE secret_check (name VARCHAR NOT NULL PRIMARY KEY, value VARCHAR NOT NULL)"
    )
