"""Write the kinds of apostrophe and hyphen in search texts as one sign each."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        "UPDATE agency SET search_name = translate(search_name, '‘’‛ʼ`´′‐‑‒–—―−',"
        " '''''''''''''''-------')"
        " WHERE search_name ~ '[‘’‛ʼ`´′‐‑‒–—―−]'"
    )
