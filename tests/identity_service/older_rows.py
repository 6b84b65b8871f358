"""Rows in the older form of codes, as earlier releases stored them."""

import asyncio

from alembic import command
from sqlalchemy import text

from identity_service.settings import Settings
from shared.database.engine import open_database
from shared.runtime.migrations import build_configuration, upgrade_database

# Z90 is registered in the older form alone, Z91 and Z93 in both.
AGENCIES = """INSERT INTO agency (code, version, name, search_name, level, parent, valid_from,
        valid_to, successor, confirmed)
    SELECT code, version, name, name, 'other', parent, '2020-01-01', valid_to::date, successor, true
    FROM (VALUES ('000.00.00.Z90', 3, 'only older', NULL, NULL, NULL),
        ('000.00.04.Z90', 1, 'below', '000.00.00.Z90', NULL, NULL),
        ('Z90.00', 1, 'own', NULL, NULL, NULL),
        ('Z91', 1, 'newer', NULL, NULL, NULL),
        ('000.00.00.Z91', 5, 'older', NULL, '2026-10-31', 'Z91'),
        ('Z92', 2, 'replaced', NULL, '2026-10-31', '000.00.00.Z91'),
        ('Z93', 1, 'below itself', '000.00.00.Z93', NULL, NULL),
        ('000.00.00.Z93', 1, 'older', NULL, NULL, NULL)
    ) AS made (code, version, name, parent, valid_to, successor)"""
CLIENTS = """INSERT INTO client (client_id, version, agency, name, kind, operator, active)
    SELECT client_id, version, agency, 'x', 'production', false, true
    FROM (VALUES ('older-z90', 2, '000.00.00.Z90'), ('older-z91', 1, '000.00.00.Z91'),
        ('newer-z91', 1, 'Z91')) AS made (client_id, version, agency)"""


async def execute(settings: Settings, *statements: str) -> None:
    async with open_database(settings) as sessions, sessions.begin() as session:
        for statement in statements:
            await session.execute(text(statement))


async def migrate_with_older_rows(settings: Settings, *others: str) -> None:
    """Migrate a new database in which an earlier release stored these rows."""
    await asyncio.to_thread(command.upgrade, build_configuration(settings), "0007")
    await execute(settings, AGENCIES, CLIENTS, *others)
    await asyncio.to_thread(upgrade_database, settings)
