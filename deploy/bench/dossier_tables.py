"""The dossiers as dossier_service keeps them, out of the table `fact`; see `data_set`."""

# What happened to each, in order: statuses and instants as two arrays of one length.
COURSE = """
    CREATE UNLOGGED TABLE course AS
    SELECT fact.*, statuses, times, cardinality(statuses) AS version
    FROM (SELECT code, procedure, channel, status, helped_by, received_by, decided_by,
            to_timestamp(filed_at) AS filed_at, to_timestamp(received_at) AS received_at,
            to_timestamp(due_at) AS due_at, to_timestamp(ended_at) AS ended_at,
            to_timestamp(requested_at) AS requested_at, number
        FROM fact) AS fact
    CROSS JOIN LATERAL (SELECT array_agg(step.status ORDER BY place) AS statuses,
            array_agg(step.at ORDER BY place) AS times
        FROM (VALUES
            (1, CASE channel WHEN 2 THEN 1 ELSE 2 END, filed_at, true),
            (2, 2, received_at, channel = 2 AND received_at IS NOT NULL),
            (3, 4, received_at + interval '30 minutes', status IN (4, 5, 6, 8, 9, 10)),
            (4, 5, requested_at, requested_at IS NOT NULL),
            (5, 4, received_at + interval '2 hours', requested_at IS NOT NULL AND status <> 5),
            (6, 6, received_at + interval '1 hour', status = 6),
            (7, CASE status WHEN 10 THEN 9 ELSE status END, ended_at, ended_at IS NOT NULL),
            (8, 10, ended_at + interval '1 hour', status = 10))
            AS step (place, status, at, happened)
        WHERE happened) AS step
"""

ROWS = {
    "agency": """
        INSERT INTO agency (code, version, name, valid_from)
        SELECT code, 1, name, valid_from FROM place""",
    "dossier": """
        INSERT INTO dossier (code, version, procedure, procedure_version, channel, status,
            previous_status, moved_at, changed_at, helped_by, received_by, decided_by, filed_at,
            received_at, due_at, finished_at, person)
        SELECT code, version, procedure, 1, channel, status, statuses[version - 1],
            times[version], times[version], helped_by, received_by, decided_by, filed_at,
            received_at, due_at, ended_at, repeat(md5(number::text), 2)
        FROM course""",
    "dossier_applicant": """
        INSERT INTO dossier_applicant (dossier, kind, name, personal_number, birth_date)
        SELECT code, 1, 'Nguyễn Văn ' || chr(65 + (number % 26)::int),
            '0' || lpad(number::text, 11, '0'), '1990-05-14'
        FROM course""",
    "dossier_document": """
        INSERT INTO dossier_document (dossier, position, paper, name, kind)
        SELECT code, position, 'TP0' || position, 'Giấy tờ ' || position, 'electronic'
        FROM course CROSS JOIN generate_series(1, 2) AS position""",
    "dossier_fee": """
        INSERT INTO dossier_fee (dossier, code, name, amount_vnd, "when", kind, paid_at,
            method, reference)
        SELECT code, 'LP', 'Lệ phí', 8000, 'before', 'levy', filed_at, 'online', 'bench'
        FROM course WHERE number % 4 = 0""",
    "dossier_step": """
        INSERT INTO dossier_step (dossier, version, act, at, from_status, to_status, client)
        SELECT code, line.version, CASE line.version WHEN 1 THEN 'filed' ELSE 'moved' END,
            line.at, statuses[line.version - 1], line.status, 'bench'
        FROM course CROSS JOIN LATERAL unnest(statuses, times)
            WITH ORDINALITY AS line (status, at, version)""",
    "dossier_party": """
        INSERT INTO dossier_party (dossier, agency, filed_at, procedure, channel, status, due_at,
            finished_at)
        SELECT code, party.agency, filed_at, procedure, channel, status, due_at, ended_at
        FROM course CROSS JOIN LATERAL (
            SELECT '' AS agency
            UNION SELECT unnest(ARRAY[received_by, split_part(received_by, '.', 1),
                decided_by, split_part(decided_by, '.', 1)])
            UNION SELECT unnest(ARRAY[helped_by, split_part(helped_by, '.', 1)])
                WHERE helped_by IS NOT NULL) AS party""",
    "dossier_serial": """
        INSERT INTO dossier_serial (agency, day, serial)
        SELECT received_by, (filed_at AT TIME ZONE 'UTC')::date, count(*)
        FROM course GROUP BY 1, 2""",
}
