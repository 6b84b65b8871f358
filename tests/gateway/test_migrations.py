import asyncio

import pytest
from alembic import command
from sqlalchemy import text

from gateway.access.projections import upsert_changed_clients
from shared.database.engine import open_database
from shared.runtime.migrations import build_configuration, upgrade_database
from tests.conftest import Databases
from tests.support.gateway_harness import make_client, make_settings


async def test_migrations_make_what_the_models_say(postgres: Databases) -> None:
    settings = make_settings(postgres.database_url("gateway"))
    await asyncio.to_thread(upgrade_database, settings)
    await asyncio.to_thread(command.check, build_configuration(settings))


@pytest.mark.parametrize("clients", [["h26"], []])
async def test_gateway_with_clients_is_complete_after_an_upgrade(
    postgres: Databases, clients: list[str]
) -> None:
    settings = make_settings(postgres.database_url("gateway"))
    configuration = build_configuration(settings)
    await asyncio.to_thread(command.upgrade, configuration, "0004")
    async with open_database(settings) as sessions:
        async with sessions.begin() as session:
            if clients:
                await upsert_changed_clients(session, [make_client(each) for each in clients])
        await asyncio.to_thread(command.upgrade, configuration, "0005")
        async with sessions() as session:
            noted = await session.scalar(text("SELECT count(*) FROM rights_comparison"))
    assert noted == len(clients)


async def test_agencies_of_before_are_kept_in_one_form(postgres: Databases) -> None:
    settings = make_settings(postgres.database_url("gateway"))
    configuration = build_configuration(settings)
    await asyncio.to_thread(command.upgrade, configuration, "0005")
    known = """INSERT INTO known_agency (code, version, name) VALUES
        ('000.10.04.H26', 2, 'only'), ('H29', 1, 'kept'), ('000.00.00.H29', 2, 'new'),
        ('H41', 2, 'new'), ('000.00.00.H41', 1, 'old'), ('H41.00', 1, 'own')"""
    async with open_database(settings) as sessions:
        async with sessions.begin() as session:
            await session.execute(text(known))
        await asyncio.to_thread(upgrade_database, settings)
        async with sessions() as session:
            rows = await session.execute(text("SELECT * FROM known_agency ORDER BY code"))
            kept = [tuple(row) for row in rows]
    assert kept == [
        # The versions of the older form come before all of the newer one.
        ("H26.04.10", 2 - 1_000_000_000, "only"),
        ("H29", 1, "kept"),
        ("H41", 2, "new"),
        ("H41.00", 1, "own"),
    ]


async def test_agencies_that_a_worker_of_the_release_before_stores_are_kept_in_one_form(
    postgres: Databases,
) -> None:
    settings = make_settings(postgres.database_url("gateway"))
    await asyncio.to_thread(upgrade_database, settings)
    known = """INSERT INTO known_agency (code, version, name)
        VALUES ('000.10.04.H26', 1, 'old'), ('H41.00', 1, 'own')"""
    async with open_database(settings) as sessions, sessions() as session:
        await session.execute(text(known))
        rows = await session.execute(text("SELECT code, name FROM known_agency ORDER BY code"))
        assert [tuple(row) for row in rows] == [("H26.04.10", "old"), ("H41.00", "own")]
