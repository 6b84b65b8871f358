"""Keep agencies and their clients in the form of QĐ 20, in which they are looked up."""

from alembic import op

from shared.runtime.migrations import lock_tables

revision = "0008"
down_revision = "0007"

_FORM_OF_QCVN = "~ '^[0-9]{3}[.][0-9]{2}[.][0-9]{2}[.][A-Z][0-9]{2}$'"
# `000.00.04.G18` -> `G18.04`: the groups turned round, without zeros at the end.
_FUNCTION = f"""CREATE FUNCTION canonical_agency(code text) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN code {_FORM_OF_QCVN} THEN regexp_replace(
        split_part(code, '.', 4) || '.' || split_part(code, '.', 3) || '.'
            || split_part(code, '.', 2) || '.' || split_part(code, '.', 1),
        '([.]0+)+$', '') ELSE code END $$"""
_AGENCIES = (
    # Where an agency was registered in both forms, the row in the newer form stays.
    f"""INSERT INTO agency (code, version, old_code, name, search_name, level, parent, valid_from,
        valid_to, successor, unit_code, confirmed)
    SELECT canonical_agency(code), version, coalesce(old_code, code), name, search_name, level,
        parent, valid_from, valid_to, successor, unit_code, confirmed
    FROM agency WHERE code {_FORM_OF_QCVN}
    ON CONFLICT (code) DO NOTHING""",  # noqa: S608 -- own texts
    # None is above itself and none succeeds itself, as one form may have done with the other.
    f"""UPDATE agency SET parent = nullif(canonical_agency(parent), code),
        successor = nullif(canonical_agency(successor), code)
    WHERE parent {_FORM_OF_QCVN} OR successor {_FORM_OF_QCVN}""",  # noqa: S608 -- own texts
    # The gateway compares its clients with these each minute: a row of its own that differs at the
    # same version would pass for a forged one.
    f"""UPDATE client SET agency = canonical_agency(agency), version = version + 1
    WHERE agency {_FORM_OF_QCVN}""",  # noqa: S608 -- own texts
    f"DELETE FROM agency WHERE code {_FORM_OF_QCVN}",  # noqa: S608 -- own texts
)
_COUNTS_OF_AGENCIES = f"scope IN ('agency', 'agency-person') AND caller {_FORM_OF_QCVN}"
# An agency that waits for its misses in either form goes on waiting.
_GUESSES = (
    f"""INSERT INTO guess_count AS held (scope, caller, officer, person, calls, misses, sequential,
        blocks, blocked_at, blocked_until, expires_at)
    SELECT scope, canonical_agency(caller), officer, person, calls, misses, sequential, blocks,
        blocked_at, blocked_until, expires_at
    FROM guess_count WHERE {_COUNTS_OF_AGENCIES}
    ON CONFLICT (scope, caller, officer, person) DO UPDATE SET
        calls = held.calls + excluded.calls,
        misses = held.misses + excluded.misses,
        sequential = held.sequential + excluded.sequential,
        blocks = greatest(held.blocks, excluded.blocks),
        blocked_at = greatest(held.blocked_at, excluded.blocked_at),
        blocked_until = greatest(held.blocked_until, excluded.blocked_until),
        expires_at = greatest(held.expires_at, excluded.expires_at)""",  # noqa: S608 -- own texts
    f"DELETE FROM guess_count WHERE {_COUNTS_OF_AGENCIES}",  # noqa: S608 -- own texts
)
# Processes of the release before write the older form until they are replaced.
_TRIGGERS = (
    """CREATE FUNCTION turn_agency() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.code := canonical_agency(NEW.code);
        NEW.parent := nullif(canonical_agency(NEW.parent), NEW.code);
        NEW.successor := nullif(canonical_agency(NEW.successor), NEW.code);
        RETURN NEW;
    END $$""",
    f"""CREATE TRIGGER turn_agency BEFORE INSERT ON agency FOR EACH ROW
    WHEN (NEW.code {_FORM_OF_QCVN} OR NEW.parent {_FORM_OF_QCVN}
        OR NEW.successor {_FORM_OF_QCVN})
    EXECUTE FUNCTION turn_agency()""",
    """CREATE FUNCTION turn_client() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.agency := canonical_agency(NEW.agency); RETURN NEW; END $$""",
    f"""CREATE TRIGGER turn_client BEFORE INSERT ON client FOR EACH ROW
    WHEN (NEW.agency {_FORM_OF_QCVN}) EXECUTE FUNCTION turn_client()""",
)


def upgrade() -> None:
    lock_tables("client", "agency", "guess_count")
    op.execute(_FUNCTION)
    for statement in (*_AGENCIES, *_GUESSES):
        op.execute(statement)
    # The references of agencies to each other are checked now: DDL waits for no check.
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for statement in _TRIGGERS:
        op.execute(statement)
