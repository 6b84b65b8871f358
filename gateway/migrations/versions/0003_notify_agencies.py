"""Have each gateway process read the agencies again when one of them changes."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        "CREATE TRIGGER known_agency_changed AFTER INSERT OR UPDATE OR DELETE ON known_agency"
        " FOR EACH STATEMENT EXECUTE FUNCTION procedures_changed()"
    )
