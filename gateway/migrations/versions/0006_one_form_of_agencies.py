"""Keep the known agencies in the form of QĐ 20, in which their names are looked up."""

from alembic import op

revision = "0006"
down_revision = "0005"

_FORM_OF_QCVN = "~ '^[0-9]{3}[.][0-9]{2}[.][0-9]{2}[.][A-Z][0-9]{2}$'"
# `000.00.04.G18` -> `G18.04`: the groups turned round, without zeros at the end. Of two forms that
# were both announced, the newest version stays, as it does for new events.
_INSERT = f"""
    INSERT INTO known_agency (code, version, name)
    SELECT regexp_replace(concat_ws('.', split_part(code, '.', 4), split_part(code, '.', 3),
            split_part(code, '.', 2), split_part(code, '.', 1)), '([.]0+)+$', ''),
        version, name
    FROM known_agency WHERE code {_FORM_OF_QCVN}
    ON CONFLICT (code) DO UPDATE SET version = excluded.version, name = excluded.name
    WHERE known_agency.version < excluded.version"""  # noqa: S608 -- own texts


def upgrade() -> None:
    op.execute(_INSERT)
    op.execute(f"DELETE FROM known_agency WHERE code {_FORM_OF_QCVN}")  # noqa: S608 -- own texts
