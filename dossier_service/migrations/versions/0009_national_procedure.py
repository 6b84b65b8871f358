"""List the dossiers of localised procedures under their national code by one range of an index."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX dossier_party_national_procedure ON dossier_party"
        ' (agency, "left"(procedure, 8), filed_at DESC, dossier DESC) INCLUDE (procedure)'
    )
    op.execute("DROP INDEX dossier_party_procedure")
