"""Store the published procedures, against which purposes are checked."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# Each gateway process listens, and reads the whole catalogue again.
NOTIFY_PROCEDURES = """CREATE FUNCTION procedures_changed() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_notify('procedures', ''); RETURN NULL; END $$"""


def upgrade() -> None:
    op.create_table(
        "known_procedure",
        sa.Column("code", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("catalogue_size", sa.Integer()),
    )
    op.execute(NOTIFY_PROCEDURES)
    op.execute(
        "CREATE TRIGGER known_procedure_changed AFTER INSERT OR UPDATE OR DELETE ON known_procedure"
        " FOR EACH STATEMENT EXECUTE FUNCTION procedures_changed()"
    )
