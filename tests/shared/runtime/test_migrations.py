"""The text by which databases were made does not change."""

from hashlib import sha256

from shared.runtime.migrations import INFRASTRUCTURE_TABLES_1

FROZEN = "5b106feb28530cff1825bff96e0b10fe84603e0ca907abd696d0c9f3effe5a1b"


def test_first_infrastructure_tables_are_frozen() -> None:
    text = "\n".join(INFRASTRUCTURE_TABLES_1)
    assert sha256(text.encode()).hexdigest() == FROZEN, "write a migration in each service instead"
