from collections.abc import AsyncIterator

import pytest

from tests.access.country import Country, open_sandbox
from tests.conftest import Databases


@pytest.fixture(scope="module")
async def sandbox(
    postgres: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    """A sandbox for the clients of one language, which push the same dossier as the others."""
    async with open_sandbox(postgres, tmp_path_factory.mktemp("story") / "sandbox.json") as made:
        yield made
