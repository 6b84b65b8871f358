"""The national view: dossiers, timelines, parties, held progress, agencies, tallies."""

from alembic import op

from shared.runtime.migrations import create_infrastructure_tables_1

revision = "0001"
down_revision = None

STATEMENTS = (
    """CREATE TABLE national_dossier (
        code VARCHAR PRIMARY KEY, source VARCHAR NOT NULL, version BIGINT NOT NULL,
        source_time TIMESTAMPTZ NOT NULL, source_version BIGINT NOT NULL,
        procedure VARCHAR NOT NULL, national_procedure VARCHAR NOT NULL,
        channel SMALLINT NOT NULL, status SMALLINT NOT NULL,
        helped_by VARCHAR, received_by VARCHAR NOT NULL, decided_by VARCHAR NOT NULL,
        deciding VARCHAR NOT NULL,
        filed_at TIMESTAMPTZ NOT NULL, received_at TIMESTAMPTZ, opened_at TIMESTAMPTZ NOT NULL,
        due_at TIMESTAMPTZ, latest_at TIMESTAMPTZ, finished_at TIMESTAMPTZ, ended_at TIMESTAMPTZ,
        requests SMALLINT NOT NULL, requested_at TIMESTAMPTZ)""",
    "CREATE INDEX national_dossier_newest ON national_dossier (opened_at, code)",
    """CREATE INDEX national_dossier_broken_off
        ON national_dossier (status, opened_at, code) WHERE status IN (3, 7, 8)""",
    """CREATE INDEX national_dossier_by_post
        ON national_dossier (opened_at, code) WHERE channel = 3""",
    """CREATE INDEX national_dossier_procedure
        ON national_dossier (national_procedure, opened_at, code)""",
    """CREATE INDEX national_dossier_open
        ON national_dossier (opened_at, code) WHERE ended_at IS NULL""",
    """CREATE TABLE dossier_event (
        code VARCHAR NOT NULL, at TIMESTAMPTZ NOT NULL, kind VARCHAR NOT NULL,
        status SMALLINT NOT NULL, detail VARCHAR NOT NULL, source VARCHAR NOT NULL,
        taken_at TIMESTAMPTZ NOT NULL DEFAULT now(),
        PRIMARY KEY (code, at, kind, status, detail, source))""",
    *(
        f"""CREATE TABLE {name} (
        agency VARCHAR NOT NULL, opened_at TIMESTAMPTZ NOT NULL, code VARCHAR NOT NULL,
        national_procedure VARCHAR NOT NULL, channel SMALLINT NOT NULL, deciding VARCHAR NOT NULL,
        PRIMARY KEY (agency, opened_at, code) INCLUDE (national_procedure, channel, deciding))"""
        for name in ("national_party", "national_party_pending")
    ),
    """CREATE TABLE held_progress (
        code VARCHAR NOT NULL, source VARCHAR NOT NULL, at TIMESTAMPTZ NOT NULL,
        status SMALLINT NOT NULL, detail VARCHAR NOT NULL,
        held_at TIMESTAMPTZ NOT NULL DEFAULT now(),
        PRIMARY KEY (code, source, at, status, detail))""",
    """CREATE TABLE heard_hour (
        agency VARCHAR NOT NULL, hour TIMESTAMPTZ NOT NULL, PRIMARY KEY (agency, hour))""",
    """CREATE TABLE agency (
        code VARCHAR PRIMARY KEY, above VARCHAR NOT NULL, version BIGINT NOT NULL,
        name VARCHAR, level VARCHAR, valid_to DATE, successor VARCHAR)""",
    "CREATE INDEX ix_agency_above ON agency (above)",
    "CREATE INDEX ix_agency_level ON agency (level)",
    # Cells are written over and over: room on their pages spares the index each time.
    """CREATE TABLE tally (
        agency VARCHAR NOT NULL, part SMALLINT NOT NULL, grain SMALLINT NOT NULL,
        procedure VARCHAR NOT NULL, received_on DATE NOT NULL, channel SMALLINT NOT NULL,
        outcome SMALLINT NOT NULL, due_on DATE, count BIGINT NOT NULL) WITH (fillfactor = 70)""",
    # The parts of an agency lie side by side: who asks for two of them looks once.
    """CREATE UNIQUE INDEX tally_cell
        ON tally (agency, grain, procedure, received_on, part, channel, outcome, due_on)
        NULLS NOT DISTINCT""",
    """CREATE INDEX tally_of_all_procedures
        ON tally (grain, received_on, agency) WHERE procedure = ''""",
    """CREATE TABLE tally_state (
        id SMALLINT PRIMARY KEY, changes BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL)""",
    "INSERT INTO tally_state VALUES (1, 0, now())",
)


def upgrade() -> None:
    create_infrastructure_tables_1()
    for statement in STATEMENTS:
        op.execute(statement)
