"""Migrations say what they did, and the text by which databases were made does not change."""

import re
from hashlib import sha256

from shared.runtime.migrations import INFRASTRUCTURE_TABLES_1
from shared.settings import ServiceSettings
from tests.support.service_commands import run_service_command

FROZEN = "5b106feb28530cff1825bff96e0b10fe84603e0ca907abd696d0c9f3effe5a1b"


def test_first_infrastructure_tables_are_frozen() -> None:
    text = "\n".join(INFRASTRUCTURE_TABLES_1)
    assert sha256(text.encode()).hexdigest() == FROZEN, "write a migration in each service instead"


def test_migrate_names_the_revisions_that_the_database_lacked(settings: ServiceSettings) -> None:
    first = run_service_command(settings, "migrate")
    assert first.returncode == 0, first.stderr
    assert re.fullmatch(rf"{settings.name}: applied \w+(, \w+)*\n", first.stdout)
    again = run_service_command(settings, "migrate")
    assert (again.returncode, again.stdout) == (0, f"{settings.name}: no migration was missing\n")
