"""Acts on clients, grants and agencies that wait for a second operator, in one table."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.drop_constraint("client_proposal_client_id_fkey", "client_proposal", type_="foreignkey")
    op.rename_table("client_proposal", "proposal")
    op.alter_column("proposal", "client_id", new_column_name="target")
