"""The dossiers as dossier_service stores them, made from the tables of `sql_setup`."""

# No dossier of the bench is asked for papers twice.
_OVERDUE_FROM = """CASE WHEN ended_at IS NULL AND (status <> 5
        OR (requested_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date
            > (due_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date)
    THEN (due_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date + 1 END"""

ROWS = {
    "agency": """
        INSERT INTO agency (code, version, name, valid_from)
        SELECT code, 1, name, valid_from FROM place""",
    "dossier": """
        INSERT INTO dossier (code, version, procedure, procedure_version, channel, status,
            previous_status, moved_at, changed_at, helped_by, received_by, decided_by, filed_at,
            received_at, due_at, requests, finished_at, person)
        SELECT code, version, procedure, 1, channel, status, statuses[version - 1],
            times[version], times[version], helped_by, received_by, decided_by, filed_at,
            received_at, due_at, num_nonnulls(requested_at), ended_at, repeat(md5(number::text), 2)
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
        SELECT code, step, CASE step WHEN 1 THEN 'filed' ELSE 'moved' END,
            times[step], statuses[step - 1], statuses[step], 'bench'
        FROM (SELECT *, generate_series(1, version) AS step FROM course) AS stepped""",
    "dossier_party": f"""
        INSERT INTO dossier_party (dossier, agency, filed_at, procedure, channel, status, due_at,
            finished_at, overdue_from)
        SELECT code, agency, filed_at, procedure, channel, status, due_at, ended_at,
            {_OVERDUE_FROM}
        FROM (SELECT * FROM party UNION ALL SELECT *, '' FROM course) AS listed""",  # noqa: S608 -- only a constant of this module is put in
    "dossier_serial": """
        INSERT INTO dossier_serial (agency, day, serial)
        SELECT received_by, (filed_at AT TIME ZONE 'UTC')::date, count(*)
        FROM course GROUP BY 1, 2""",
}
