from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar

from tests.gateway.wire import PATIENCE_S, Behind, Door, door_before, service_behind


@pytest.fixture
async def behind() -> AsyncIterator[Behind]:
    async with service_behind() as service:
        yield service


@pytest.fixture
async def door(behind: Behind) -> AsyncIterator[Door]:
    async with door_before(behind) as opened:
        yield opened


@pytest.fixture
async def caller() -> AsyncIterator[ClientSession]:
    """Sees the wire as it is: nothing is decompressed, redirected or remembered."""
    async with ClientSession(
        auto_decompress=False,
        cookie_jar=DummyCookieJar(),
        timeout=ClientTimeout(total=2 * PATIENCE_S),
    ) as session:
        yield session
