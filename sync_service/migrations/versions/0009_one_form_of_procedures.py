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
# The versions of the two forms were counted apart: a row in the newer form stays, and each version
# of the older form becomes one before all of the newer form, as it does for new events.
_INSERT = f"""
    INSERT INTO procedure (code, version, active, term_duration, term_unit, term_same_day)
    SELECT canonical_procedure(code), version - 1000000000, active, term_duration, term_unit,
        term_same_day
    FROM procedure WHERE code {_FORM_OF_QCVN}
    ON CONFLICT (code) DO NOTHING"""  # noqa: S608 -- own texts

# Workers of the release before write the older form until they are replaced.
_TRIGGER = (
    """CREATE FUNCTION turn_code() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.code := canonical_procedure(NEW.code);
        NEW.version := NEW.version - 1000000000;
        RETURN NEW;
    END $$""",
    f"""CREATE TRIGGER turn_code BEFORE INSERT ON procedure FOR EACH ROW
    WHEN (NEW.code {_FORM_OF_QCVN}) EXECUTE FUNCTION turn_code()""",
)

# Agencies have been kept in the newer form, and the form in which each was announced is not known:
# the next version in the newer form counts, whichever it is.
_REGISTRY = "UPDATE agency SET version = version - 1000000000 WHERE name IS NOT NULL"


def upgrade() -> None:
    lock_tables("agency", "procedure")
    op.execute(_REGISTRY)
    op.execute(_FUNCTION)
    op.execute(_INSERT)
    op.execute(f"DELETE FROM procedure WHERE code {_FORM_OF_QCVN}")  # noqa: S608 -- own texts
    for statement in _TRIGGER:
        op.execute(statement)
