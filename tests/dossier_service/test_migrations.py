from collections.abc import Sequence

from alembic import command
from sqlalchemy import text

from deploy.run_sync import run_apart
from dossier_service.settings import Settings
from shared.database.engine import open_database
from shared.runtime.migrations import build_configuration, upgrade_database
from tests.conftest import Databases
from tests.dossier_service.conftest import unmigrated_settings

# The versions of the older form come before all of the newer one.
OLDER = -1_000_000_000
# Received on Monday 30 November 2026 at 9:00 and due on Thursday 3 December at 9:00, in Viet Nam.
# `late` has no due date but a longest term; `ended` is finished; the others wait for papers: since
# before the due day, since after it, and for the second time.
BEFORE = (
    """INSERT INTO procedure_version (code, version, valid_from, digest, content)
        VALUES ('2.001410', 1, '2026-01-05', '\\x', '{}')""",
    """INSERT INTO dossier (code, version, procedure, procedure_version, channel, status, moved_at,
            changed_at, received_by, decided_by, filed_at, received_at, due_at, latest_at,
            finished_at)
        SELECT code, 1, '2.001410', 1, 1, status, moved_at::timestamptz, moved_at::timestamptz,
            'H26.101', 'H26.101', '2026-11-30 02:00Z', '2026-11-30 02:00Z',
            CASE WHEN code <> 'late' THEN '2026-12-03 02:00Z'::timestamptz END,
            CASE WHEN code = 'late' THEN '2026-12-03 02:00Z'::timestamptz END,
            CASE WHEN code = 'ended' THEN '2026-12-01 02:00Z'::timestamptz END
        FROM (VALUES ('open', 4, '2026-12-01 02:00Z'), ('late', 4, '2026-12-01 02:00Z'),
            ('ended', 8, '2026-12-01 02:00Z'), ('asked', 5, '2026-12-03 10:00Z'),
            ('asked late', 5, '2026-12-03 17:30Z'), ('asked twice', 5, '2026-12-02 02:00Z')
        ) AS made (code, status, moved_at)""",
    """INSERT INTO dossier_step (dossier, version, act, at, to_status, client)
        SELECT code, version, act, '2026-12-01', to_status, 'onestop'
        FROM (VALUES ('asked', 2, 'moved', 5), ('asked', 3, 'progressed', 5),
            ('asked late', 2, 'moved', 5), ('asked twice', 2, 'moved', 5),
            ('asked twice', 3, 'moved', 2), ('asked twice', 4, 'moved', 5),
            ('ended', 2, 'moved', 5)) AS step (code, version, act, to_status)""",
    # Before the reception.
    """INSERT INTO dossier_step (dossier, version, act, at, to_status, client)
        VALUES ('asked', 1, 'moved', '2026-11-29', 5, 'onestop')""",
    """INSERT INTO dossier_party (dossier, agency, filed_at, procedure, channel, status)
        SELECT code, agency, filed_at, procedure, channel, status
        FROM dossier CROSS JOIN (VALUES (''), ('H26')) AS listed (agency)""",
)


async def execute(settings: Settings, *statements: str) -> None:
    async with open_database(settings) as sessions, sessions.begin() as session:
        for statement in statements:
            await session.execute(text(statement))


async def read(settings: Settings, query: str) -> Sequence[tuple[object, ...]]:
    async with open_database(settings) as sessions, sessions() as session:
        return [tuple(row) for row in await session.execute(text(query))]


def test_migrations_make_what_the_models_declare(own_settings: Settings) -> None:
    command.check(build_configuration(own_settings))


def test_migrating_again_changes_nothing(own_settings: Settings) -> None:
    upgrade_database(own_settings)
    command.check(build_configuration(own_settings))


def test_dossiers_of_before_are_judged_as_new_ones(postgres: Databases) -> None:
    settings = unmigrated_settings(postgres)
    command.upgrade(build_configuration(settings), "0004")
    run_apart(execute(settings, *BEFORE))
    upgrade_database(settings)
    judged = """SELECT code, requests, min(overdue_from)::text, max(overdue_from)::text
        FROM dossier JOIN dossier_party ON dossier = code GROUP BY code ORDER BY code"""
    assert run_apart(read(settings, judged)) == [
        ("asked", 1, None, None),
        ("asked late", 1, "2026-12-04", "2026-12-04"),
        ("asked twice", 2, "2026-12-02", "2026-12-02"),
        ("ended", 1, None, None),
        ("late", 0, "2026-12-04", "2026-12-04"),
        ("open", 0, "2026-12-04", "2026-12-04"),
    ]


def test_agencies_of_before_are_kept_in_one_form(postgres: Databases) -> None:
    settings = unmigrated_settings(postgres)
    command.upgrade(build_configuration(settings), "0004")
    run_apart(execute(settings, *BEFORE))
    command.upgrade(build_configuration(settings), "0006")
    run_apart(
        execute(
            settings,
            "UPDATE dossier SET received_by = '000.10.04.H26', decided_by = '000.00.00.H29'"
            " WHERE code = 'open'",
            "DELETE FROM dossier_party WHERE dossier = 'open' AND agency = 'H26'",
            """INSERT INTO dossier_party (dossier, agency, filed_at, procedure, channel, status)
            SELECT code, agency, filed_at, procedure, channel, status FROM dossier
            CROSS JOIN (VALUES ('000.10.04.H26'), ('000.00.00.H29')) AS listed (agency)
            WHERE code = 'open'""",
        )
    )
    upgrade_database(settings)
    kept = "SELECT received_by, decided_by FROM dossier WHERE code = 'open'"
    assert run_apart(read(settings, kept)) == [("H26.04.10", "H29")]
    listed = "SELECT agency FROM dossier_party WHERE dossier = 'open' ORDER BY agency"
    assert run_apart(read(settings, listed)) == [
        ("",),
        ("H26",),
        ("H26.04",),
        ("H26.04.10",),
        ("H29",),
    ]


def test_registry_and_serials_of_before_are_kept_in_one_form(postgres: Databases) -> None:
    settings = unmigrated_settings(postgres)
    command.upgrade(build_configuration(settings), "0007")
    run_apart(
        execute(
            settings,
            """INSERT INTO agency (code, version, name, valid_from) VALUES
            ('000.10.04.H26', 2, 'only', '2026-01-05'), ('H29', 1, 'kept', '2026-01-05'),
            ('000.00.00.H29', 2, 'new', '2026-01-05'), ('H41', 2, 'new', '2026-01-05'),
            ('000.00.00.H41', 1, 'old', '2026-01-05'), ('H41.00', 1, 'own', '2026-01-05')""",
            """INSERT INTO dossier_serial (agency, day, serial) VALUES
            ('000.10.04.H26', '2026-11-30', 7), ('H26.04.10', '2026-11-30', 3),
            ('000.00.00.H29', '2026-11-30', 2), ('H29', '2026-11-30', 5),
            ('000.00.00.H29', '2026-11-29', 4), ('H29.00', '2026-11-30', 1)""",
        )
    )
    upgrade_database(settings)
    registered = "SELECT code, version, name FROM agency ORDER BY code"
    assert run_apart(read(settings, registered)) == [
        ("H26.04.10", OLDER + 2, "only"),
        ("H29", 1, "kept"),
        ("H41", 2, "new"),
        ("H41.00", 1, "own"),
    ]
    serials = "SELECT agency, day::text, serial FROM dossier_serial ORDER BY agency, day"
    # The next code is a new one, in whichever form the agency writes its own.
    assert run_apart(read(settings, serials)) == [
        ("H26.04.10", "2026-11-30", 7),
        ("H29", "2026-11-29", 4),
        ("H29", "2026-11-30", 5),
        ("H29.00", "2026-11-30", 1),
    ]


# Two versions in the older form alone; one procedure in both forms, whose second version in the
# newer form was in force when `late` was filed.
PROCEDURES_OF_BEFORE = (
    """INSERT INTO procedure_version (code, version, valid_from, digest, content)
        SELECT code, version, valid_from::timestamptz, '\\x', jsonb_build_object('code', code)
        FROM (VALUES ('1.001193.000.00.04.H26', 1, '2026-01-05'),
            ('1.001193.000.00.04.H26', 2, '2026-02-05'),
            ('2.001410.000.00.00.H29', 5, '2026-01-05'),
            ('2.001410.H29', 1, '2026-01-05'), ('2.001410.H29', 2, '2026-11-01'),
            ('2.001410.H29', 3, '2026-12-20'), ('2.001410.H41.00', 1, '2026-01-05')
        ) AS made (code, version, valid_from)""",
    """INSERT INTO procedure (code, version, digest, name, plain_name, levels, sector, essential)
        SELECT code, max(version), '\\x', code, code, '{}', 'x', false
        FROM procedure_version GROUP BY code""",
    """UPDATE procedure SET owner = CASE code WHEN '2.001410.H29' THEN '000.00.04.H29'
        WHEN '1.001193.000.00.04.H26' THEN '000.00.00.H26'
        WHEN '2.001410.H41.00' THEN 'H41.00' END""",
    "UPDATE dossier SET procedure = '1.001193.000.00.04.H26' WHERE code = 'open'",
    """UPDATE dossier SET procedure = '2.001410.000.00.00.H29', procedure_version = 5
        WHERE code = 'late'""",
    "UPDATE dossier SET procedure = '2.001410.H41.00' WHERE code = 'ended'",
    """UPDATE dossier_party SET procedure = dossier.procedure FROM dossier
        WHERE dossier.code = dossier_party.dossier""",
)


def test_procedures_of_before_are_kept_in_one_form(postgres: Databases) -> None:
    settings = unmigrated_settings(postgres)
    command.upgrade(build_configuration(settings), "0004")
    run_apart(execute(settings, *BEFORE))
    command.upgrade(build_configuration(settings), "0007")
    run_apart(execute(settings, *PROCEDURES_OF_BEFORE))
    upgrade_database(settings)
    kept = """SELECT code, dossier.procedure, procedure_version, party.procedure
        FROM dossier JOIN dossier_party AS party ON dossier = code AND agency = 'H26'
        WHERE code IN ('open', 'late', 'ended', 'asked') ORDER BY code"""
    assert run_apart(read(settings, kept)) == [
        ("asked", "2.001410", 1, "2.001410"),
        ("ended", "2.001410.H41.00", 1, "2.001410.H41.00"),
        ("late", "2.001410.H29", 2, "2.001410.H29"),
        ("open", "1.001193.H26.04", 1, "1.001193.H26.04"),
    ]
    in_force = "SELECT code, version, owner FROM procedure ORDER BY code"
    assert run_apart(read(settings, in_force)) == [
        ("1.001193.H26.04", 2, "H26"),
        ("2.001410", 1, None),
        ("2.001410.H29", 3, "H29.04"),
        ("2.001410.H41.00", 1, "H41.00"),
    ]
    versions = """SELECT code, version, content ->> 'code' FROM procedure_version
        WHERE code IN ('1.001193.H26.04', '2.001410.H29') ORDER BY code, version"""
    assert run_apart(read(settings, versions)) == [
        ("1.001193.H26.04", 1, "1.001193.H26.04"),
        ("1.001193.H26.04", 2, "1.001193.H26.04"),
        ("2.001410.H29", 1, "2.001410.H29"),
        ("2.001410.H29", 2, "2.001410.H29"),
        ("2.001410.H29", 3, "2.001410.H29"),
    ]


def test_dossier_keeps_its_case_where_the_version_in_the_newer_form_has_it(
    postgres: Databases,
) -> None:
    settings = unmigrated_settings(postgres)
    command.upgrade(build_configuration(settings), "0004")
    run_apart(execute(settings, *BEFORE))
    command.upgrade(build_configuration(settings), "0007")
    published = """INSERT INTO procedure_version (code, version, valid_from, digest, content)
        SELECT code, 1, '2026-01-05', '\\x', jsonb_build_object('code', code, 'channels', entries)
        FROM (VALUES ('2.001410.000.00.00.H29', '[]'::jsonb), ('2.001410.H29',
            '[{"channel": 2, "case_code": "TH01"}, {"channel": 1, "case_code": "TH02"}]')
        ) AS made (code, entries)"""
    filed = """UPDATE dossier SET procedure = '2.001410.000.00.00.H29',
        term_case = CASE code WHEN 'open' THEN 'TH02' WHEN 'late' THEN 'TH01' END"""
    run_apart(execute(settings, published, filed))
    upgrade_database(settings)
    kept = "SELECT code, term_case FROM dossier WHERE code IN ('open', 'late', 'ended')"
    assert sorted(run_apart(read(settings, kept))) == [
        ("ended", None),
        ("late", None),
        ("open", "TH02"),
    ]
