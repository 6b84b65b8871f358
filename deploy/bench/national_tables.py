"""The same dossiers as sync_service stores them: its view, timelines, parties and counters."""

from shared.codes.enums import DossierStatus
from sync_service.indicators.counters import ALL_PROCEDURES, Grain
from sync_service.national_view.handling import Handling

_DAY = "date '1970-01-01' + (({} + 25200) / 86400)::int"  # of Viet Nam, of Unix seconds
# As `national_view.handling` computes it; a test recounts the result.
_OUTCOME = f"""CASE
    WHEN due_on IS NULL AND ended_on IS NULL THEN {Handling.OPEN.value}
    WHEN due_on IS NULL THEN {Handling.ENDED_WITHOUT_DUE.value}
    WHEN ended_on <= due_on THEN {Handling.ENDED_IN_TIME.value}
    WHEN ended_on IS NOT NULL THEN {Handling.ENDED_LATE.value}
    WHEN status <> 5 OR requested_on IS NULL THEN {Handling.OPEN.value}
    WHEN requested_on <= due_on THEN {Handling.REQUESTED_IN_TIME.value}
    ELSE {Handling.REQUESTED_LATE.value} END"""

_PARTIES = """
    INSERT INTO {table} (agency, opened_at, code, national_procedure, channel, deciding)
    SELECT agency, coalesce(received_at, filed_at), code, procedure, channel, decided_by
    FROM party WHERE {which}"""

ROWS = {
    "agency": """
        INSERT INTO agency (code, above, version, name, level, valid_to)
        SELECT code, CASE WHEN code LIKE '%.%' THEN split_part(code, '.', 1) ELSE 'VN' END, 1,
            name, level, NULL FROM place""",
    "national_dossier": """
        INSERT INTO national_dossier (code, source, version, source_time, source_version,
            procedure, national_procedure, channel, status, helped_by, received_by, decided_by,
            deciding, filed_at, received_at, opened_at, due_at, finished_at, facts_time,
            facts_version, facts_digest, ended_at, requests, requested_at)
        SELECT code, '/dossier_service', version, times[version], version, procedure, procedure,
            channel, status, helped_by, received_by, decided_by, decided_by, filed_at,
            received_at, coalesce(received_at, filed_at), due_at, ended_at,
            times[version], version, 0, ended_at, (requested_at IS NOT NULL)::int, requested_at
        FROM course""",
    "dossier_event": """
        INSERT INTO dossier_event (code, at, kind, status, detail, source, version, digest)
        SELECT code, times[step], CASE step WHEN 1 THEN 'filed' ELSE 'moved' END,
            statuses[step], '', '/dossier_service', step, 0
        FROM (SELECT *, generate_series(1, version) AS step FROM course) AS stepped""",
    "national_party": _PARTIES.format(table="national_party", which="true"),
    "national_party_pending": _PARTIES.format(
        table="national_party_pending", which=f"status <> {DossierStatus.RETURNED.value}"
    ),
    # Cells of few dossiers are added up to those of many: the fewest rows are counted twice.
    "tally": f"""
        INSERT INTO tally (agency, part, grain, procedure, received_on, channel, outcome, due_on,
            count)
        WITH dated AS (
            SELECT received_by AS receiving, decided_by AS deciding, asked.code AS procedure,
                channel, status, {_DAY.format("received_at")} AS received_on,
                {_DAY.format("nullif(due_at, -1)")} AS due_on,
                {_DAY.format("nullif(ended_at, -1)")} AS ended_on,
                {_DAY.format("nullif(requested_at, -1)")} AS requested_on
            FROM fact JOIN asked ON asked.place = procedure WHERE received_at <> -1
            OFFSET 0),
        judged AS (SELECT *, {_OUTCOME} AS outcome FROM dated OFFSET 0),
        cell AS (
            SELECT agency, part, procedure, received_on, channel, outcome,
                CASE outcome WHEN {Handling.OPEN.value} THEN due_on END AS due_on,
                count(*)::int AS count
            FROM judged JOIN seat USING (receiving, deciding) GROUP BY 1, 2, 3, 4, 5, 6, 7),
        by_day AS (
            SELECT * FROM cell
            UNION ALL
            SELECT agency, part, '{ALL_PROCEDURES}', received_on, channel, outcome, due_on,
                sum(count)::int
            FROM cell GROUP BY 1, 2, 4, 5, 6, 7)
        SELECT agency, part, {Grain.DAY.value}, procedure, received_on, channel, outcome, due_on,
            count
        FROM by_day
        UNION ALL
        SELECT agency, part, {Grain.MONTH.value}, procedure,
            date_trunc('month', received_on::timestamp)::date, channel, outcome, due_on, sum(count)
        FROM by_day GROUP BY 1, 2, 4, 5, 6, 7, 8""",  # noqa: S608 -- only constants of this code are put in
    "tally_state": "INSERT INTO tally_state SELECT 1, count(*), now() FROM fact",
}
