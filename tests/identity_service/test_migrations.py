import asyncio

from alembic import command

from identity_service.settings import Settings
from shared.runtime.migrations import build_configuration, upgrade_database


async def test_the_migrations_make_what_the_models_declare(settings: Settings) -> None:
    await asyncio.to_thread(command.check, build_configuration(settings))


async def test_a_second_migration_changes_nothing(settings: Settings) -> None:
    await asyncio.to_thread(upgrade_database, settings)
