import asyncio

from alembic import command

from identity_service.settings import Settings
from shared.runtime.migrations import configuration, upgrade


async def test_the_migrations_make_what_the_models_declare(settings: Settings) -> None:
    await asyncio.to_thread(command.check, configuration(settings))


async def test_a_second_migration_changes_nothing(settings: Settings) -> None:
    await asyncio.to_thread(upgrade, settings)
