"""Begin."""
from shared.migrations import create_mechanics
revision = "0001"
down_revision = None
def upgrade() -> None:
    create_mechanics()
