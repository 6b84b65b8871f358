from alembic import command

from dossier_service.settings import Settings
from shared.migrations import configuration, upgrade


def test_migrations_make_what_the_models_declare(own_settings: Settings) -> None:
    command.check(configuration(own_settings))


def test_migrating_again_changes_nothing(own_settings: Settings) -> None:
    upgrade(own_settings)
    command.check(configuration(own_settings))
