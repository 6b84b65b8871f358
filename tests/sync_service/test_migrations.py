"""The migrations make what the models declare, also of a database that holds dossiers."""

from collections.abc import Sequence

from alembic import command
from sqlalchemy import text

from deploy.run_sync import run_apart
from shared.database.engine import open_database
from shared.events import AgencyChanged
from shared.runtime.migrations import build_configuration, upgrade_database
from sync_service.agencies.projections import upsert_agencies
from sync_service.national_view.state import PROGRESS_VERSION
from sync_service.settings import Settings
from tests.conftest import Databases
from tests.support.event_keys import key_text
from tests.support.factories import CALL_KEY, DIGEST_KEY
from tests.sync_service.national import agency

# A dossier whose last word is a progress row, one that was only pushed, and one of the mesh.
BEFORE = (
    """INSERT INTO national_dossier (code, source, version, source_time, source_version, procedure,
        national_procedure, channel, status, received_by, decided_by, deciding, filed_at, opened_at,
        requests)
    SELECT code, source, 2, '2026-11-03', source_version, '1.001193', '1.001193', 1, status, 'H41',
        'H41', 'H41', '2026-11-01', '2026-11-01', 0
    FROM (VALUES ('moved', 'client', 0, 9), ('pushed', 'client', 7, 4),
        ('own', '/dossier_service', 2, 9)) AS dossier (code, source, source_version, status)""",
    """INSERT INTO dossier_event (code, at, kind, status, detail, source) VALUES
        ('moved', '2026-11-01', 'synced', 2, '', 'client'),
        ('moved', '2026-11-02', 'progressed', 4, 'desk', 'client'),
        ('moved', '2026-11-03', 'progressed', 9, '', 'client'),
        ('pushed', '2026-11-03', 'synced', 4, '', 'client'),
        ('own', '2026-11-02', 'progressed', 4, '', '/dossier_service'),
        ('own', '2026-11-03', 'moved', 9, '', '/dossier_service')""",
    "INSERT INTO heard_hour VALUES ('H41', '2026-11-01 01:00Z'), ('H41', '2026-11-01 05:00Z')",
)


def settings_of(postgres: Databases) -> Settings:
    return Settings.model_validate(
        {
            "database_url": postgres.database_url("sync_service"),
            "kafka_servers": "127.0.0.1:1",
            "call_key": CALL_KEY,
            "digest_key": DIGEST_KEY,
            "event_key": key_text("sync_service"),
        }
    )


async def execute(settings: Settings, *statements: str) -> None:
    async with open_database(settings) as sessions, sessions.begin() as session:
        for statement in statements:
            await session.execute(text(statement))


async def read(settings: Settings, query: str) -> Sequence[tuple[object, ...]]:
    async with open_database(settings) as sessions, sessions() as session:
        return [tuple(row) for row in await session.execute(text(query))]


async def project(settings: Settings, event: AgencyChanged) -> None:
    async with open_database(settings) as sessions, sessions.begin() as session:
        await upsert_agencies(session, [event])


def test_migrations_make_what_the_models_declare(postgres: Databases) -> None:
    settings = settings_of(postgres)
    upgrade_database(settings)
    command.check(build_configuration(settings))


def test_dossiers_of_before_keep_their_place_in_the_order_of_words(postgres: Databases) -> None:
    settings = settings_of(postgres)
    command.upgrade(build_configuration(settings), "0001")
    run_apart(execute(settings, *BEFORE))
    upgrade_database(settings)
    query = """SELECT code, extract(day FROM facts_time)::int, facts_version, source_version,
        extract(day FROM reopened_time)::int FROM national_dossier ORDER BY code"""
    assert run_apart(read(settings, query)) == [
        ("moved", 1, 0, PROGRESS_VERSION, 2),
        ("own", 3, 2, 2, None),
        ("pushed", 3, 7, 7, None),
    ]
    lines = "SELECT count(*), min(code) FROM dossier_event WHERE version > 0"
    assert run_apart(read(settings, lines)) == [(2, "moved")]
    rhythm = "SELECT agency, extract(hour FROM longest_pause)::int FROM agency_rhythm"
    assert run_apart(read(settings, rhythm)) == [("H41", 4)]


def test_procedures_of_before_are_kept_in_one_form(postgres: Databases) -> None:
    settings = settings_of(postgres)
    command.upgrade(build_configuration(settings), "0008")
    published = """INSERT INTO procedure (code, version, active, term_duration) VALUES
        ('1.001193', 1, true, 1), ('1.001193.000.00.00.H26', 1, true, 2),
        ('1.001193.000.10.04.H26', 1, true, 3), ('1.001193.H29.00', 1, true, 4),
        ('1.001193.H41', 2, true, 5), ('1.001193.000.00.00.H41', 1, true, 6),
        ('1.001193.H17', 1, true, 7), ('1.001193.000.00.00.H17', 2, true, 8)"""
    run_apart(execute(settings, published))
    upgrade_database(settings)
    kept = "SELECT code, version, term_duration FROM procedure ORDER BY code"
    assert run_apart(read(settings, kept)) == [
        ("1.001193", 1, 1),
        ("1.001193.H17", 1, 7),
        # The versions of the older form come before all of the newer one.
        ("1.001193.H26", 1 - 1_000_000_000, 2),
        ("1.001193.H26.04.10", 1 - 1_000_000_000, 3),
        ("1.001193.H29.00", 1, 4),
        ("1.001193.H41", 2, 5),
    ]


def test_procedures_that_a_worker_of_the_release_before_stores_are_kept_in_one_form(
    postgres: Databases,
) -> None:
    settings = settings_of(postgres)
    upgrade_database(settings)
    published = """INSERT INTO procedure (code, version, active, term_duration)
        VALUES ('1.001193.000.10.04.H26', 1, true, 3), ('1.001193.H29.00', 1, true, 4)"""
    run_apart(execute(settings, published))
    kept = "SELECT code, term_duration FROM procedure ORDER BY code"
    assert run_apart(read(settings, kept)) == [("1.001193.H26.04.10", 3), ("1.001193.H29.00", 4)]


def test_agency_that_is_registered_anew_after_the_upgrade_is_known_by_its_new_version(
    postgres: Databases,
) -> None:
    settings = settings_of(postgres)
    command.upgrade(build_configuration(settings), "0008")
    known = """INSERT INTO agency (code, above, version, name)
        VALUES ('G18.04', 'G18', 3, 'older form'), ('G18', 'VN', 0, NULL)"""
    run_apart(execute(settings, known))
    upgrade_database(settings)
    run_apart(project(settings, agency("G18.04", "registered anew", version=1)))
    kept = "SELECT code, version, name FROM agency ORDER BY code"
    assert run_apart(read(settings, kept)) == [("G18", 0, None), ("G18.04", 1, "registered anew")]
