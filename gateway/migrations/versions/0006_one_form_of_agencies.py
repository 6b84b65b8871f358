"""Keep the known agencies in the form of QĐ 20, in which their names are looked up."""

from alembic import op

from shared.runtime.migrations import lock_tables

revision = "0006"
down_revision = "0005"

_FORM_OF_QCVN = "~ '^[0-9]{3}[.][0-9]{2}[.][0-9]{2}[.][A-Z][0-9]{2}$'"
# `000.00.04.G18` -> `G18.04`: the groups turned round, without zeros at the end.
_FUNCTION = """CREATE FUNCTION canonical_agency(code text) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(concat_ws('.', split_part(code, '.', 4), split_part(code, '.', 3),
        split_part(code, '.', 2), split_part(code, '.', 1)), '([.]0+)+$', '') $$"""
# The versions of the two forms were counted apart: a row in the newer form stays, and each version
# of the older form becomes one before all of the newer form, as it does for new events.
_INSERT = f"""
    INSERT INTO known_agency (code, version, name)
    SELECT canonical_agency(code), version - 1000000000, name
    FROM known_agency WHERE code {_FORM_OF_QCVN}
    ON CONFLICT (code) DO NOTHING"""  # noqa: S608 -- own texts

# Workers of the release before write the older form until they are replaced.
_TRIGGER = (
    """CREATE FUNCTION turn_code() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.code := canonical_agency(NEW.code);
        NEW.version := NEW.version - 1000000000;
        RETURN NEW;
    END $$""",
    f"""CREATE TRIGGER turn_code BEFORE INSERT ON known_agency FOR EACH ROW
    WHEN (NEW.code {_FORM_OF_QCVN}) EXECUTE FUNCTION turn_code()""",
)


def upgrade() -> None:
    lock_tables("known_agency")
    op.execute(_FUNCTION)
    op.execute(_INSERT)
    op.execute(f"DELETE FROM known_agency WHERE code {_FORM_OF_QCVN}")  # noqa: S608 -- own texts
    for statement in _TRIGGER:
        op.execute(statement)
