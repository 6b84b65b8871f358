"""The same dossiers as sync_service keeps them: its view, timelines, parties, and the tallies."""

from shared.events.codes import DossierStatus
from sync_service.tallies import ALL_PROCEDURES, Grain, Handling

_DAY = "({} AT TIME ZONE 'Asia/Ho_Chi_Minh')::date"
# As `tallies.handling` has it; a test recounts what comes out.
_OUTCOME = f"""CASE
    WHEN due_at IS NULL AND ended_at IS NULL THEN {Handling.OPEN.value}
    WHEN due_at IS NULL THEN {Handling.ENDED_WITHOUT_DUE.value}
    WHEN {_DAY.format("ended_at")} <= {_DAY.format("due_at")} THEN {Handling.ENDED_IN_TIME.value}
    WHEN ended_at IS NOT NULL THEN {Handling.ENDED_LATE.value}
    WHEN requested_at IS NULL THEN {Handling.OPEN.value}
    WHEN {_DAY.format("requested_at")} <= {_DAY.format("due_at")}
        THEN {Handling.REQUESTED_IN_TIME.value}
    ELSE {Handling.REQUESTED_LATE.value} END"""

_PARTIES = """
    INSERT INTO {table} (agency, opened_at, code, national_procedure, channel, deciding)
    SELECT party.agency, coalesce(received_at, filed_at), code, procedure, channel, decided_by
    FROM course CROSS JOIN LATERAL (
        SELECT unnest(ARRAY[received_by, split_part(received_by, '.', 1),
            decided_by, split_part(decided_by, '.', 1)])
        UNION SELECT unnest(ARRAY[helped_by, split_part(helped_by, '.', 1)])
            WHERE helped_by IS NOT NULL) AS party (agency)
    WHERE {which}"""

ROWS = {
    "agency": """
        INSERT INTO agency (code, above, version, name, level, valid_to)
        SELECT code, CASE WHEN code LIKE '%.%' THEN split_part(code, '.', 1) ELSE 'VN' END, 1,
            name, level, NULL FROM place""",
    "national_dossier": """
        INSERT INTO national_dossier (code, source, version, source_time, source_version,
            procedure, national_procedure, channel, status, helped_by, received_by, decided_by,
            deciding, filed_at, received_at, opened_at, due_at, finished_at, ended_at, requests,
            requested_at)
        SELECT code, '/dossier_service', version, times[version], version, procedure, procedure,
            channel, status, helped_by, received_by, decided_by, decided_by, filed_at,
            received_at, coalesce(received_at, filed_at), due_at, ended_at, ended_at,
            (requested_at IS NOT NULL)::int, requested_at
        FROM course""",
    "dossier_event": """
        INSERT INTO dossier_event (code, at, kind, status, detail, source)
        SELECT code, line.at, CASE line.version WHEN 1 THEN 'filed' ELSE 'moved' END,
            line.status, '', '/dossier_service'
        FROM course CROSS JOIN LATERAL unnest(statuses, times)
            WITH ORDINALITY AS line (status, at, version)""",
    "national_party": _PARTIES.format(table="national_party", which="true"),
    "national_party_pending": _PARTIES.format(
        table="national_party_pending", which=f"status <> {DossierStatus.RETURNED.value}"
    ),
    "tally": f"""
        INSERT INTO tally (agency, part, grain, procedure, received_on, channel, outcome, due_on,
            count)
        WITH judged AS (
            SELECT received_by, decided_by, procedure, {_DAY.format("received_at")} AS received_on,
                channel, {_OUTCOME} AS outcome, {_DAY.format("due_at")} AS due_on
            FROM course WHERE received_at IS NOT NULL),
        alike AS (
            SELECT received_by, decided_by, procedure, received_on, channel, outcome,
                CASE WHEN outcome = {Handling.OPEN.value} THEN due_on END AS due_on,
                count(*) AS count
            FROM judged GROUP BY 1, 2, 3, 4, 5, 6, 7)
        SELECT agency, part, grain, counted.procedure, first, channel, outcome, due_on, sum(count)
        FROM alike JOIN seat USING (received_by, decided_by)
            CROSS JOIN LATERAL (VALUES ({Grain.DAY.value}, received_on),
                ({Grain.MONTH.value}, date_trunc('month', received_on)::date)) AS day (grain, first)
            CROSS JOIN LATERAL (VALUES (alike.procedure), ('{ALL_PROCEDURES}'))
                AS counted (procedure)
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8""",  # noqa: S608 -- only constants of this code are put in
    "tally_state": "UPDATE tally_state SET changes = (SELECT count(*) FROM course), at = now()",
}
