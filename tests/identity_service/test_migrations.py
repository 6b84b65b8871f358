import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text

from identity_service.settings import Settings
from shared.database.engine import open_database
from shared.runtime.migrations import build_configuration, upgrade_database
from tests.conftest import Databases
from tests.identity_service.conftest import make_settings
from tests.identity_service.older_rows import AGENCIES, CLIENTS, execute, migrate_with_older_rows

GUESSES = """INSERT INTO guess_count (scope, caller, officer, person, calls, misses, sequential,
        blocks, blocked_at, blocked_until, expires_at)
    VALUES
    ('agency', '000.00.00.Z91', '', '', 5, 3, 1, 2, '2026-11-30 08:00Z', '2026-11-30 09:00Z',
        '2026-11-30 09:00Z'),
    ('agency', 'Z91', '', '', 2, 1, 0, 0, NULL, NULL, '2026-11-30 10:00Z'),
    ('agency-person', '000.00.00.Z90', '', 'ab', 1, 1, 0, 0, NULL, NULL, '2026-11-30 09:00Z'),
    ('client', '000.00.00.Z91', '', '', 1, 1, 0, 0, NULL, NULL, '2026-11-30 09:00Z')"""


async def read(settings: Settings, query: str) -> Sequence[tuple[Any, ...]]:
    async with open_database(settings) as sessions, sessions() as session:
        return [tuple(row) for row in await session.execute(text(query))]


async def test_the_migrations_make_what_the_models_declare(settings: Settings) -> None:
    await asyncio.to_thread(command.check, build_configuration(settings))


async def test_a_second_migration_changes_nothing(settings: Settings) -> None:
    await asyncio.to_thread(upgrade_database, settings)


@pytest.fixture
async def migrated(postgres: Databases) -> Settings:
    """Return the settings of a database that had rows in the older form."""
    settings = make_settings(postgres.database_url("identity_service"))
    await migrate_with_older_rows(settings, GUESSES)
    return settings


async def test_agencies_of_before_are_kept_in_one_form(migrated: Settings) -> None:
    kept = await read(
        migrated, "SELECT code, version, old_code, name, parent, successor FROM agency ORDER BY 1"
    )
    assert kept == [
        ("Z90", 3, "000.00.00.Z90", "only older", None, None),
        ("Z90.00", 1, None, "own", None, None),
        ("Z90.04", 1, "000.00.04.Z90", "below", "Z90", None),
        # Of two rows of one agency the one in the newer form stays.
        ("Z91", 1, None, "newer", None, None),
        ("Z92", 2, None, "replaced", None, "Z91"),
        ("Z93", 1, None, "below itself", None, None),
    ]


async def test_clients_of_before_belong_to_the_agency_in_its_one_form(migrated: Settings) -> None:
    """A new version is repaired in the gateway as a missed one."""
    kept = await read(migrated, "SELECT client_id, agency, version FROM client ORDER BY 1")
    assert kept == [("newer-z91", "Z91", 1), ("older-z90", "Z90", 3), ("older-z91", "Z91", 2)]


async def test_misses_of_an_agency_in_both_forms_are_counted_together(migrated: Settings) -> None:
    kept = await read(
        migrated,
        """SELECT scope, caller, calls, misses, sequential, blocks,
            to_char(blocked_until AT TIME ZONE 'UTC', 'HH24:MI'),
            to_char(expires_at AT TIME ZONE 'UTC', 'HH24:MI')
        FROM guess_count ORDER BY scope""",
    )
    assert kept == [
        ("agency", "Z91", 7, 4, 1, 2, "09:00", "10:00"),
        ("agency-person", "Z90", 1, 1, 0, 0, None, "09:00"),
        ("client", "000.00.00.Z91", 1, 1, 0, 0, None, "09:00"),
    ]


async def test_rows_that_processes_of_the_release_before_write_are_kept_in_one_form(
    postgres: Databases,
) -> None:
    settings = make_settings(postgres.database_url("identity_service"))
    await asyncio.to_thread(upgrade_database, settings)
    await execute(settings, f"{AGENCIES} ON CONFLICT DO NOTHING", CLIENTS)
    codes = await read(settings, "SELECT code, parent FROM agency ORDER BY code")
    assert codes == [
        ("Z90", None),
        ("Z90.00", None),
        ("Z90.04", "Z90"),
        ("Z91", None),
        ("Z92", None),
        ("Z93", None),
    ]
    agencies = await read(settings, "SELECT agency FROM client ORDER BY client_id")
    assert agencies == [("Z91",), ("Z90",), ("Z91",)]
