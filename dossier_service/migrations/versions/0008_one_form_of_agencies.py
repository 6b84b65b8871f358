"""Keep agencies and procedures in the form of QĐ 20, in which rights are compared with them."""

from alembic import op

from shared.runtime.migrations import lock_tables

revision = "0008"
down_revision = "0007"

_QCVN = "[0-9]{3}[.][0-9]{2}[.][0-9]{2}[.][A-Z][0-9]{2}$'"
_FORM_OF_QCVN = f"~ '^{_QCVN}"
_PROCEDURE_OF_QCVN = f"~ '^[1-9][.][0-9]{{6}}[.]{_QCVN}"
_FUNCTIONS = (
    # `000.00.04.G18` -> `G18.04`: the groups turned round, without zeros at the end.
    f"""CREATE FUNCTION canonical_agency(code text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN code {_FORM_OF_QCVN} THEN regexp_replace(
        split_part(code, '.', 4) || '.' || split_part(code, '.', 3) || '.'
            || split_part(code, '.', 2) || '.' || split_part(code, '.', 1),
        '([.]0+)+$', '') ELSE code END $$""",
    f"""CREATE FUNCTION canonical_procedure(code text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN code {_PROCEDURE_OF_QCVN}
        THEN left(code, 9) || canonical_agency(substr(code, 10)) ELSE code END $$""",
    # Where both forms were published, a dossier takes the version in the newer form that was in
    # force when it was filed: its own version has another number there.
    """CREATE FUNCTION find_canonical_version(procedure text, filed_at timestamptz)
    RETURNS SETOF procedure_version LANGUAGE sql STABLE AS $$
    SELECT * FROM procedure_version
    WHERE code = canonical_procedure($1)
    ORDER BY valid_from <= $2 DESC, CASE WHEN valid_from <= $2 THEN version ELSE -version END DESC
    LIMIT 1 $$""",
    # A case that the version lacks would name no term.
    """CREATE FUNCTION find_term_case(filed dossier, found procedure_version) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$
    SELECT filed.term_case WHERE found.content -> 'channels' @> jsonb_build_array(
        jsonb_build_object('channel', filed.channel, 'case_code', filed.term_case)) $$""",
)
# Processes of the release before write the older form until they are replaced.
_TRIGGERS = (
    """CREATE FUNCTION turn_dossier() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE found procedure_version;
    BEGIN
        NEW.received_by := canonical_agency(NEW.received_by);
        NEW.decided_by := canonical_agency(NEW.decided_by);
        NEW.helped_by := canonical_agency(NEW.helped_by);
        IF NEW.procedure <> canonical_procedure(NEW.procedure) THEN
            SELECT * INTO STRICT found FROM find_canonical_version(NEW.procedure, NEW.filed_at);
            NEW.procedure := found.code;
            NEW.procedure_version := found.version;
            NEW.term_case := find_term_case(NEW, found);
        END IF;
        RETURN NEW;
    END $$""",
    f"""CREATE TRIGGER turn_dossier
    BEFORE INSERT OR UPDATE OF received_by, decided_by, helped_by, procedure ON dossier FOR EACH ROW
    WHEN (NEW.received_by {_FORM_OF_QCVN} OR NEW.decided_by {_FORM_OF_QCVN}
        OR NEW.helped_by {_FORM_OF_QCVN} OR NEW.procedure {_PROCEDURE_OF_QCVN})
    EXECUTE FUNCTION turn_dossier()""",
    # One row for the agency, one for each above it.
    f"""CREATE FUNCTION turn_dossier_party() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE groups text[] := string_to_array(canonical_agency(NEW.agency), '.');
    BEGIN
        NEW.procedure := canonical_procedure(NEW.procedure);
        IF NEW.agency !{_FORM_OF_QCVN} THEN RETURN NEW; END IF;
        FOR depth IN 1..cardinality(groups) LOOP
            NEW.agency := array_to_string(groups[1:depth], '.');
            INSERT INTO dossier_party SELECT NEW.* ON CONFLICT DO NOTHING;
        END LOOP;
        RETURN NULL;
    END $$""",
    f"""CREATE TRIGGER turn_dossier_party BEFORE INSERT ON dossier_party FOR EACH ROW
    WHEN (NEW.agency {_FORM_OF_QCVN} OR NEW.procedure {_PROCEDURE_OF_QCVN})
    EXECUTE FUNCTION turn_dossier_party()""",
    """CREATE FUNCTION turn_serial() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.agency := canonical_agency(NEW.agency); RETURN NEW; END $$""",
    f"""CREATE TRIGGER turn_serial BEFORE INSERT ON dossier_serial FOR EACH ROW
    WHEN (NEW.agency {_FORM_OF_QCVN}) EXECUTE FUNCTION turn_serial()""",
    """CREATE FUNCTION turn_code() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.code := canonical_agency(NEW.code);
        NEW.version := NEW.version - 1000000000;
        RETURN NEW;
    END $$""",
    f"""CREATE TRIGGER turn_code BEFORE INSERT ON agency FOR EACH ROW
    WHEN (NEW.code {_FORM_OF_QCVN}) EXECUTE FUNCTION turn_code()""",
    """CREATE FUNCTION turn_version() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.code := canonical_procedure(NEW.code);
        NEW.content := NEW.content || jsonb_build_object('code', NEW.code);
        RETURN NEW;
    END $$""",
    f"""CREATE TRIGGER turn_version BEFORE INSERT ON procedure_version FOR EACH ROW
    WHEN (NEW.code {_PROCEDURE_OF_QCVN}) EXECUTE FUNCTION turn_version()""",
    """CREATE FUNCTION turn_procedure() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.code := canonical_procedure(NEW.code);
        NEW.owner := canonical_agency(NEW.owner);
        RETURN NEW;
    END $$""",
    f"""CREATE TRIGGER turn_procedure BEFORE INSERT ON procedure FOR EACH ROW
    WHEN (NEW.code {_PROCEDURE_OF_QCVN} OR NEW.owner {_FORM_OF_QCVN})
    EXECUTE FUNCTION turn_procedure()""",
)


def upgrade() -> None:
    lock_tables("dossier_serial", "dossier", "dossier_party", "procedure_version", "procedure")
    lock_tables("agency")
    for statement in _FUNCTIONS:
        op.execute(statement)
    _turn_registry()
    _turn_agencies()
    _turn_serials()
    _turn_procedures()
    for statement in _TRIGGERS:
        op.execute(statement)


def _turn_registry() -> None:
    # The versions of the two forms were counted apart: a row in the newer form stays, and each
    # version of the older form becomes one before all of the newer form, as it does for new events.
    op.execute(
        f"""INSERT INTO agency (code, version, name, valid_from, valid_to, successor)
        SELECT canonical_agency(code), version - 1000000000, name, valid_from, valid_to, successor
        FROM agency WHERE code {_FORM_OF_QCVN}
        ON CONFLICT (code) DO NOTHING"""  # noqa: S608 -- own texts
    )
    op.execute(f"DELETE FROM agency WHERE code {_FORM_OF_QCVN}")  # noqa: S608 -- own texts


def _turn_agencies() -> None:
    for column in ("received_by", "decided_by", "helped_by"):
        op.execute(
            f"UPDATE dossier SET {column} = canonical_agency({column})"  # noqa: S608 -- own texts
            f" WHERE {column} {_FORM_OF_QCVN}"
        )
    # One row for the agency, one for each above it; the country has its row already.
    op.execute(
        f"""INSERT INTO dossier_party (dossier, agency, filed_at, procedure, channel, status,
            due_at, finished_at, overdue_from)
        SELECT dossier, array_to_string(groups[1:depth], '.'), filed_at, procedure, channel,
            status, due_at, finished_at, overdue_from
        FROM dossier_party
        CROSS JOIN LATERAL (SELECT string_to_array(canonical_agency(agency), '.') AS groups) AS g
        CROSS JOIN LATERAL generate_series(1, cardinality(groups)) AS depth
        WHERE agency {_FORM_OF_QCVN}
        ON CONFLICT DO NOTHING"""  # noqa: S608 -- own texts
    )
    op.execute(
        f"DELETE FROM dossier_party WHERE agency {_FORM_OF_QCVN}"  # noqa: S608 -- own texts
    )


def _turn_serials() -> None:
    # The higher serial stays, so that the next one is new in both forms of the code.
    op.execute(
        f"""INSERT INTO dossier_serial (agency, day, serial)
        SELECT canonical_agency(agency), day, serial FROM dossier_serial
        WHERE agency {_FORM_OF_QCVN}
        ON CONFLICT (agency, day)
            DO UPDATE SET serial = greatest(dossier_serial.serial, excluded.serial)"""  # noqa: S608 -- own texts
    )
    op.execute(
        f"DELETE FROM dossier_serial WHERE agency {_FORM_OF_QCVN}"  # noqa: S608 -- own texts
    )


def _turn_procedures() -> None:
    op.execute(
        f"""UPDATE dossier SET procedure = found.code, procedure_version = found.version,
            term_case = find_term_case(dossier, found)
        FROM dossier AS filed
        CROSS JOIN LATERAL find_canonical_version(filed.procedure, filed.filed_at) AS found
        WHERE dossier.code = filed.code AND filed.procedure {_PROCEDURE_OF_QCVN}"""  # noqa: S608 -- own texts
    )
    # A version is never changed, so that the others are published once more under their new code.
    op.execute(
        f"""INSERT INTO procedure_version (code, version, valid_from, digest, content)
        SELECT turned, version, valid_from, digest, content || jsonb_build_object('code', turned)
        FROM procedure_version AS old
        CROSS JOIN LATERAL (SELECT canonical_procedure(code) AS turned) AS t
        WHERE code {_PROCEDURE_OF_QCVN}
            AND NOT EXISTS (SELECT FROM procedure_version WHERE code = turned)"""  # noqa: S608 -- own texts
    )
    op.execute(
        f"""DELETE FROM procedure AS old WHERE code {_PROCEDURE_OF_QCVN} AND EXISTS
            (SELECT FROM procedure WHERE code = canonical_procedure(old.code))"""  # noqa: S608 -- own texts
    )
    op.execute(
        f"UPDATE procedure SET owner = canonical_agency(owner) WHERE owner {_FORM_OF_QCVN}"  # noqa: S608 -- own texts
    )
    for table, column in (
        ("procedure", "code"),
        ("dossier", "procedure"),
        ("dossier_party", "procedure"),
    ):
        op.execute(
            f"UPDATE {table} SET {column} = canonical_procedure({column})"  # noqa: S608 -- own texts
            f" WHERE {column} {_PROCEDURE_OF_QCVN}"
        )
