"""The migrations keep filings of the release before, which goes on beside them, in one form."""

import asyncio

import pytest
from alembic import command
from sqlalchemy import text

from deploy.run_sync import run_apart
from dossier_service.settings import Settings
from shared.database.engine import open_database
from shared.runtime import migrations
from shared.runtime.migrations import build_configuration, upgrade_database
from tests.conftest import Databases
from tests.dossier_service.conftest import unmigrated_settings
from tests.dossier_service.test_migrations import BEFORE, PROCEDURES_OF_BEFORE, execute, read

# One dossier as the release before files it, with the serial, the parties and the version.
FILING_OF_BEFORE = (
    """INSERT INTO dossier_serial AS last (agency, day, serial)
        VALUES ('000.10.04.H26', '2026-11-30', 1)
        ON CONFLICT (agency, day) DO UPDATE SET serial = last.serial + 1""",
    """INSERT INTO dossier (code, version, procedure, procedure_version, channel, status, moved_at,
            changed_at, received_by, decided_by, helped_by, filed_at, requests)
        VALUES ('000.10.04.H26-261130-0001', 1, '2.001410.000.00.00.H29', 5, 1, 1, '2026-11-30',
            '2026-11-30', '000.10.04.H26', '000.00.00.H29', '000.00.04.H26', '2026-11-30', 0)""",
    """INSERT INTO dossier_party (dossier, agency, filed_at, procedure, channel, status)
        SELECT code, agency, filed_at, procedure, channel, status
        FROM dossier CROSS JOIN (VALUES (''), ('000.10.04.H26'), ('000.00.00.H29')) AS p (agency)
        WHERE code = '000.10.04.H26-261130-0001'""",
)
KEPT_OF_FILING = {
    "SELECT agency, serial FROM dossier_serial": [("H26.04.10", 1)],
    """SELECT received_by, decided_by, helped_by, procedure, procedure_version FROM dossier
        WHERE code = '000.10.04.H26-261130-0001'""": [
        ("H26.04.10", "H29", "H26.04", "2.001410.H29", 2)
    ],
    """SELECT agency, procedure FROM dossier_party WHERE dossier = '000.10.04.H26-261130-0001'
        ORDER BY agency""": [
        (agency, "2.001410.H29") for agency in ("", "H26", "H26.04", "H26.04.10", "H29")
    ],
}


async def upgrade_beside_filing(settings: Settings) -> None:
    """Upgrade while a filing is open, and end it once the upgrade waits for it, or has ended."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND mode LIKE 'ShareRow%'")
    async with open_database(settings) as sessions, sessions() as filing, sessions() as watch:
        for statement in FILING_OF_BEFORE:
            await filing.execute(text(statement))
        upgrade = asyncio.create_task(asyncio.to_thread(upgrade_database, settings))
        while not upgrade.done() and not await watch.scalar(waiting):  # noqa: ASYNC110 -- locks have no event
            await asyncio.sleep(0.02)
        await filing.commit()
        await upgrade


@pytest.mark.parametrize("when", ["open", "later"])
def test_filings_of_the_release_before_are_kept_in_one_form(postgres: Databases, when: str) -> None:
    settings = unmigrated_settings(postgres)
    command.upgrade(build_configuration(settings), "0004")
    run_apart(execute(settings, *BEFORE))
    command.upgrade(build_configuration(settings), "0007")
    run_apart(execute(settings, *PROCEDURES_OF_BEFORE))
    if when == "open":
        run_apart(upgrade_beside_filing(settings))
    else:
        upgrade_database(settings)
        run_apart(execute(settings, *FILING_OF_BEFORE))
    for query, kept in KEPT_OF_FILING.items():
        assert run_apart(read(settings, query)) == kept


def test_serials_go_on_in_filings_of_the_release_before(postgres: Databases) -> None:
    settings = unmigrated_settings(postgres)
    upgrade_database(settings)
    own = "INSERT INTO dossier_serial VALUES ('H26.04.10', '2026-11-30', 7)"
    run_apart(execute(settings, own, FILING_OF_BEFORE[0]))
    kept = "SELECT agency, serial FROM dossier_serial"
    assert run_apart(read(settings, kept)) == [("H26.04.10", 8)]


async def upgrade_beside_open_filing(settings: Settings) -> None:
    async with open_database(settings) as sessions, sessions() as filing:
        await filing.execute(text(FILING_OF_BEFORE[0]))
        await asyncio.to_thread(upgrade_database, settings)


def test_upgrade_beside_a_filing_that_stays_open_says_how_to_go_on(
    postgres: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = unmigrated_settings(postgres)
    command.upgrade(build_configuration(settings), "0007")
    monkeypatch.setattr(migrations, "MAX_LOCK_WAIT_S", 1)
    with pytest.raises(migrations.TablesInUseError, match=r"dossier_serial.*migrate again"):
        run_apart(upgrade_beside_open_filing(settings))
    assert run_apart(read(settings, "SELECT version_num FROM alembic_version")) == [("0007",)]


PROCEDURE_OF_BEFORE = """INSERT INTO procedure_version (code, version, valid_from, digest,
        content)
    VALUES ('1.001193.000.00.04.H26', 1, '2026-01-05', '\\x', '{}')"""
CURRENT_OF_BEFORE = """INSERT INTO procedure (code, version, digest, name, plain_name, levels,
        sector, essential, owner)
    VALUES ('1.001193.000.00.04.H26', 1, '\\x', 'x', 'x', '{}', 'x', false,
        '000.00.04.G18')"""


def test_procedures_and_agencies_of_the_release_before_are_kept_in_one_form(
    postgres: Databases,
) -> None:
    settings = unmigrated_settings(postgres)
    upgrade_database(settings)
    announced = """INSERT INTO agency (code, version, name, valid_from)
        VALUES ('000.10.04.H26', 1, 'own', '2026-01-05')"""
    run_apart(execute(settings, announced, PROCEDURE_OF_BEFORE, CURRENT_OF_BEFORE))
    assert run_apart(read(settings, "SELECT code FROM agency")) == [("H26.04.10",)]
    published = """SELECT code, content ->> 'code', owner FROM procedure_version
        JOIN procedure USING (code, version)"""
    assert run_apart(read(settings, published)) == [
        ("1.001193.H26.04", "1.001193.H26.04", "G18.04")
    ]
