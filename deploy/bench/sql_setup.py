"""Temporary tables of the facts that both services store, made from the numbers in `fact`.

`course` has each dossier by its names and instants and with all that happened to it; `seat` says
for a receiving and a deciding agency which agencies are party to it, and `party` has the parties
of each dossier. A missing value is -1 in `fact`: `NONE` of `dossiers`.
"""

from sync_service.agencies.hierarchy import COUNTRY

# The status it came to, when, and to which dossiers that happened; in the order of time.
_STEPS = (
    ("CASE channel WHEN 2 THEN 1 ELSE 2 END", "filed_at", "true"),
    ("2", "received_at", "channel = 2 AND received_at IS NOT NULL"),
    ("4", "received_at + interval '30 minutes'", "status IN (4, 5, 6, 8, 9, 10)"),
    ("5", "requested_at", "requested_at IS NOT NULL"),
    ("4", "received_at + interval '2 hours'", "requested_at IS NOT NULL AND status <> 5"),
    ("6", "received_at + interval '1 hour'", "status = 6"),
    ("CASE status WHEN 10 THEN 9 ELSE status END", "ended_at", "ended_at IS NOT NULL"),
    ("10", "ended_at + interval '1 hour'", "status = 10"),
)


def _collect_steps(column: int) -> str:
    steps = ", ".join(f"CASE WHEN {step[2]} THEN {step[column]} END" for step in _STEPS)
    return f"array_remove(ARRAY[{steps}], NULL)"


# OFFSET 0 keeps a subquery a step of its own: else each mention of its columns computes them anew.
COURSE = f"""
    CREATE TEMP TABLE course ON COMMIT DROP AS
    SELECT *, cardinality(statuses) AS version
    FROM (SELECT *, {_collect_steps(0)} AS statuses, {_collect_steps(1)} AS times
        FROM (SELECT number, fact.received_by AS receiving, fact.decided_by AS deciding,
                received.code || to_char(date '1970-01-01' + day::int, '-YYMMDD-')
                    || lpad(serial::text, 4, '0') AS code,
                asked.code AS procedure, channel::smallint, status::smallint,
                helped.code AS helped_by, received.code AS received_by,
                decided.code AS decided_by, to_timestamp(filed_at) AS filed_at,
                to_timestamp(nullif(received_at, -1)) AS received_at,
                to_timestamp(nullif(due_at, -1)) AS due_at,
                to_timestamp(nullif(ended_at, -1)) AS ended_at,
                to_timestamp(nullif(requested_at, -1)) AS requested_at
            FROM fact
                JOIN asked ON asked.place = procedure
                JOIN place AS received ON received.place = received_by
                JOIN place AS decided ON decided.place = decided_by
                LEFT JOIN place AS helped ON helped.place = helped_by
            OFFSET 0) AS named
        OFFSET 0) AS stepped
"""  # noqa: S608 -- only constants of this module are put in

# The agency that helped comes with the one above it, where they are not party already.
PARTY = f"""
    CREATE TEMP VIEW party AS
    SELECT course.*, agency FROM course JOIN seat USING (receiving, deciding)
    WHERE agency <> '{COUNTRY}'
    UNION ALL
    SELECT course.*, agency
    FROM course CROSS JOIN unnest(ARRAY[helped_by, split_part(helped_by, '.', 1)]) AS agency
    WHERE helped_by IS NOT NULL AND NOT EXISTS (SELECT FROM seat WHERE seat.agency = agency.agency
        AND seat.receiving = course.receiving AND seat.deciding = course.deciding)
"""  # noqa: S608 -- only a constant of this code is put in
