"""Keep published procedures in the form of QĐ 20, in which pushed rows look for them."""

from alembic import op

revision = "0009"
down_revision = "0008"

_FORM_OF_QCVN = "~ '^.{9}[0-9]'"
# `1.001193.000.00.04.H26` -> `1.001193.H26.04`: the groups turned round, without zeros at the end.
# Of two forms that were both published, the newest version stays, as it does for new events.
_INSERT = f"""
    INSERT INTO procedure (code, version, active, term_duration, term_unit, term_same_day)
    SELECT left(code, 9) || regexp_replace(concat_ws('.', split_part(code, '.', 6),
            split_part(code, '.', 5), split_part(code, '.', 4), split_part(code, '.', 3)),
            '([.]0+)+$', ''),
        version, active, term_duration, term_unit, term_same_day
    FROM procedure WHERE code {_FORM_OF_QCVN}
    ON CONFLICT (code) DO UPDATE SET version = excluded.version, active = excluded.active,
        term_duration = excluded.term_duration, term_unit = excluded.term_unit,
        term_same_day = excluded.term_same_day
    WHERE procedure.version < excluded.version"""  # noqa: S608 -- own texts


def upgrade() -> None:
    op.execute(_INSERT)
    op.execute(f"DELETE FROM procedure WHERE code {_FORM_OF_QCVN}")  # noqa: S608 -- own texts
