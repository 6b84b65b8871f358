"""Write the kinds of apostrophe and hyphen in search texts as one sign each."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        "UPDATE procedure SET plain_name = translate(plain_name, '‘’‛ʼ`´′‐‑‒–—―−',"
        " '''''''''''''''-------')"
        " WHERE plain_name ~ '[‘’‛ʼ`´′‐‑‒–—―−]'"
    )
