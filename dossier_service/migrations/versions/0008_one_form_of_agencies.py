"""Keep agencies and procedures in the form of QĐ 20, in which rights are compared with them."""

from alembic import op

revision = "0008"
down_revision = "0007"

# `000.00.04.G18` -> `G18.04`: the groups turned round, without zeros at the end.
_CANONICAL = """CREATE FUNCTION pg_temp.canonical(code text) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(
        split_part(code, '.', 4) || '.' || split_part(code, '.', 3) || '.'
            || split_part(code, '.', 2) || '.' || split_part(code, '.', 1),
        '(\\.0+)+$', '') $$"""
_CANONICAL_PROCEDURE = """CREATE FUNCTION pg_temp.canonical_procedure(code text) RETURNS text
    LANGUAGE sql IMMUTABLE AS
    $$ SELECT left(code, 9) || pg_temp.canonical(substr(code, 10)) $$"""
_QCVN = "[0-9]{3}[.][0-9]{2}[.][0-9]{2}[.][A-Z][0-9]{2}$'"
_FORM_OF_QCVN = f"~ '^{_QCVN}"
_PROCEDURE_OF_QCVN = f"~ '^[1-9][.][0-9]{{6}}[.]{_QCVN}"


def upgrade() -> None:
    op.execute(_CANONICAL)
    op.execute(_CANONICAL_PROCEDURE)
    _turn_registry()
    _turn_agencies()
    _turn_serials()
    _turn_procedures()


def _turn_registry() -> None:
    # Of two forms that were both announced, the newest version stays, as it does for new events.
    op.execute(
        f"""INSERT INTO agency (code, version, name, valid_from, valid_to, successor)
        SELECT pg_temp.canonical(code), version, name, valid_from, valid_to, successor
        FROM agency WHERE code {_FORM_OF_QCVN}
        ON CONFLICT (code) DO UPDATE SET version = excluded.version, name = excluded.name,
            valid_from = excluded.valid_from, valid_to = excluded.valid_to,
            successor = excluded.successor
        WHERE agency.version < excluded.version"""  # noqa: S608 -- own texts
    )
    op.execute(f"DELETE FROM agency WHERE code {_FORM_OF_QCVN}")  # noqa: S608 -- own texts


def _turn_agencies() -> None:
    for column in ("received_by", "decided_by", "helped_by"):
        op.execute(
            f"UPDATE dossier SET {column} = pg_temp.canonical({column})"  # noqa: S608 -- own texts
            f" WHERE {column} {_FORM_OF_QCVN}"
        )
    # One row for the agency, one for each above it; the country has its row already.
    op.execute(
        f"""INSERT INTO dossier_party (dossier, agency, filed_at, procedure, channel, status,
            due_at, finished_at, overdue_from)
        SELECT dossier, array_to_string(groups[1:depth], '.'), filed_at, procedure, channel,
            status, due_at, finished_at, overdue_from
        FROM dossier_party
        CROSS JOIN LATERAL (SELECT string_to_array(pg_temp.canonical(agency), '.') AS groups) AS g
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
        SELECT pg_temp.canonical(agency), day, serial FROM dossier_serial
        WHERE agency {_FORM_OF_QCVN}
        ON CONFLICT (agency, day)
            DO UPDATE SET serial = greatest(dossier_serial.serial, excluded.serial)"""  # noqa: S608 -- own texts
    )
    op.execute(
        f"DELETE FROM dossier_serial WHERE agency {_FORM_OF_QCVN}"  # noqa: S608 -- own texts
    )


def _turn_procedures() -> None:
    # Where both forms were published, a dossier takes the version in the newer form that was in
    # force when it was filed: its own version has another number there.
    op.execute(
        f"""UPDATE dossier SET procedure = found.code, procedure_version = found.version
        FROM dossier AS filed CROSS JOIN LATERAL (
            SELECT code, version FROM procedure_version
            WHERE code = pg_temp.canonical_procedure(filed.procedure)
            ORDER BY valid_from <= filed.filed_at DESC,
                CASE WHEN valid_from <= filed.filed_at THEN version ELSE -version END DESC
            LIMIT 1) AS found
        WHERE dossier.code = filed.code AND filed.procedure {_PROCEDURE_OF_QCVN}"""  # noqa: S608 -- own texts
    )
    # A version is never changed, so that the others are published once more under their new code.
    op.execute(
        f"""INSERT INTO procedure_version (code, version, valid_from, digest, content)
        SELECT turned, version, valid_from, digest, content || jsonb_build_object('code', turned)
        FROM procedure_version AS old
        CROSS JOIN LATERAL (SELECT pg_temp.canonical_procedure(code) AS turned) AS t
        WHERE code {_PROCEDURE_OF_QCVN}
            AND NOT EXISTS (SELECT FROM procedure_version WHERE code = turned)"""  # noqa: S608 -- own texts
    )
    op.execute(
        f"""DELETE FROM procedure AS old WHERE code {_PROCEDURE_OF_QCVN} AND EXISTS
            (SELECT FROM procedure WHERE code = pg_temp.canonical_procedure(old.code))"""  # noqa: S608 -- own texts
    )
    for table, column in (
        ("procedure", "code"),
        ("dossier", "procedure"),
        ("dossier_party", "procedure"),
    ):
        op.execute(
            f"UPDATE {table} SET {column} = pg_temp.canonical_procedure({column})"  # noqa: S608 -- own texts
            f" WHERE {column} {_PROCEDURE_OF_QCVN}"
        )
