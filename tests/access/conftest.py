import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.access import callers
from tests.access.country import Country, open_country
from tests.access.model import AGENCIES
from tests.access.samples import Things, make_things
from tests.conftest import Databases
from tests.support.factories import TestAuthority
from tests.sync_service.conftest import make_settings, serving
from tests.sync_service.national import National, agency, register


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


@pytest.fixture(scope="session")
async def view(postgres: Databases) -> AsyncIterator[National]:
    made = await asyncio.to_thread(make_settings, postgres)
    async with serving(made, TestAuthority()) as opened:
        await register(opened, *(agency(code, code, "commune") for code in AGENCIES))
        yield opened
