import asyncio

from alembic import command

from shared.runtime.migrations import build_configuration, upgrade_database
from tests.conftest import Databases
from tests.support.gateway_harness import make_settings


async def test_migrations_make_what_the_models_say(postgres: Databases) -> None:
    settings = make_settings(postgres.database_url("gateway"))
    await asyncio.to_thread(upgrade_database, settings)
    await asyncio.to_thread(command.check, build_configuration(settings))
