"""The order of the words told of a dossier: the same pushes in any order give the same state."""

from alembic import op

revision = "0002"
down_revision = "0001"

# The version that progress rows have in the order of words: above that of each full row.
PROGRESS = 2**62 + 1
OWN = "/dossier_service"

STATEMENTS = (
    """ALTER TABLE dossier_event
        ADD COLUMN version BIGINT NOT NULL DEFAULT 0,
        ADD COLUMN digest BIGINT NOT NULL DEFAULT 0""",
    f"""UPDATE dossier_event SET version = {PROGRESS}
        WHERE kind = 'progressed' AND source <> '{OWN}'""",  # noqa: S608 -- constants of this file
    """ALTER TABLE dossier_event DROP CONSTRAINT dossier_event_pkey,
        ADD PRIMARY KEY (code, at, kind, status, detail, source, version, digest)""",
    """ALTER TABLE national_dossier
        ADD COLUMN facts_time TIMESTAMPTZ, ADD COLUMN facts_version BIGINT,
        ADD COLUMN facts_digest BIGINT NOT NULL DEFAULT 0, ADD COLUMN reopened_time TIMESTAMPTZ""",
    "UPDATE national_dossier SET facts_time = source_time, facts_version = source_version",
    # Of a pushed dossier, the last full row and the last progress row lie apart.
    f"""UPDATE national_dossier AS dossier SET
            facts_time = coalesce(word.facts_time, dossier.source_time),
            facts_version = CASE WHEN word.facts_time = dossier.source_time
                THEN dossier.source_version ELSE 0 END,
            source_version = CASE WHEN word.progress_time = dossier.source_time
                THEN {PROGRESS} ELSE dossier.source_version END,
            reopened_time = word.reopened_time
        FROM (
            SELECT code, source, max(at) FILTER (WHERE kind = 'synced') AS facts_time,
                max(at) FILTER (WHERE kind = 'progressed') AS progress_time,
                max(at) FILTER (WHERE kind = 'progressed' AND status NOT IN (3, 7, 8, 9, 10))
                    AS reopened_time
            FROM dossier_event WHERE source <> '{OWN}' GROUP BY 1, 2) AS word
        WHERE word.code = dossier.code AND word.source = dossier.source""",  # noqa: S608 -- constants of this file
    """ALTER TABLE national_dossier
        ALTER COLUMN facts_time SET NOT NULL, ALTER COLUMN facts_version SET NOT NULL,
        ALTER COLUMN facts_digest DROP DEFAULT""",
    # Each writer gives both from now on.
    """ALTER TABLE dossier_event
        ALTER COLUMN version DROP DEFAULT, ALTER COLUMN digest DROP DEFAULT""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
