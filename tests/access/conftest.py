from collections.abc import AsyncIterator

import pytest

from tests.access import callers
from tests.access.country import Country, open_country
from tests.access.samples import Things, make_things
from tests.conftest import Databases


@pytest.fixture(scope="session")
async def country(
    postgres: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    sandbox = tmp_path_factory.mktemp("sandbox") / "sandbox.json"
    async with open_country(postgres, sandbox) as opened:
        await callers.register(opened)
        yield opened


@pytest.fixture(scope="session")
async def things(country: Country) -> Things:
    return await make_things(country)
