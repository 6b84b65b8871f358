"""Keep published procedures in the form of QĐ 20, in which pushed rows look for them."""

from alembic import op

from shared.runtime.migrations import lock_tables

revision = "0009"
down_revision = "0008"

_FORM_OF_QCVN = "~ '^.{9}[0-9]'"
# `1.001193.000.00.04.H26` -> `1.001193.H26.04`: the groups turned round, without zeros at the end.
_FUNCTION = """CREATE FUNCTION canonical_procedure(code text) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$
    SELECT left(code, 9) || regexp_replace(concat_ws('.', split_part(code, '.', 6),
        split_part(code, '.', 5), split_part(code, '.', 4), split_part(code, '.', 3)),
        '([.]0+)+$', '') $$"""
# Of two forms that were both published, the newest version stays, as it does for new events.
_INSERT = f"""
    INSERT INTO procedure (code, version, active, term_duration, term_unit, term_same_day)
    SELECT canonical_procedure(code), version, active, term_duration, term_unit, term_same_day
    FROM procedure WHERE code {_FORM_OF_QCVN}
    ON CONFLICT (code) DO UPDATE SET version = excluded.version, active = excluded.active,
        term_duration = excluded.term_duration, term_unit = excluded.term_unit,
        term_same_day = excluded.term_same_day
    WHERE procedure.version < excluded.version"""  # noqa: S608 -- own texts

# Workers of the release before write the older form until they are replaced.
_TRIGGER = (
    """CREATE FUNCTION turn_code() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.code := canonical_procedure(NEW.code); RETURN NEW; END $$""",
    f"""CREATE TRIGGER turn_code BEFORE INSERT ON procedure FOR EACH ROW
    WHEN (NEW.code {_FORM_OF_QCVN}) EXECUTE FUNCTION turn_code()""",
)


def upgrade() -> None:
    lock_tables("procedure")
    op.execute(_FUNCTION)
    op.execute(_INSERT)
    op.execute(f"DELETE FROM procedure WHERE code {_FORM_OF_QCVN}")  # noqa: S608 -- own texts
    for statement in _TRIGGER:
        op.execute(statement)
