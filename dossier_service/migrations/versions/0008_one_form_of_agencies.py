"""Keep agencies in the form of QĐ 20, in which rights are compared with them."""

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
_FORM_OF_QCVN = "~ '^[0-9]{3}[.][0-9]{2}[.][0-9]{2}[.][A-Z][0-9]{2}$'"


def upgrade() -> None:
    op.execute(_CANONICAL)
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
