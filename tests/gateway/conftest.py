from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar

from tests.conftest import Databases
from tests.gateway.ledger.ledgers import Store, make_store
from tests.support.fake_upstream import PATIENCE_S, Behind, Door, door_before, service_behind
from tests.support.gateway_harness import (
    Gate,
    Services,
    make_client,
    make_grant,
    open_gate,
    open_services,
)


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


@pytest.fixture(scope="session")
async def services() -> AsyncIterator[Services]:
    async with open_services() as opened:
        yield opened


@pytest.fixture(scope="session")
async def gate(postgres: Databases, services: Services) -> AsyncIterator[Gate]:
    """One gateway for all tests that leave it as it is; each has clients of its own."""
    async with open_gate(postgres.migrated_url("gateway"), services) as opened:
        await opened.tell(make_client(), make_grant())
        yield opened


@pytest.fixture
def store(postgres: Databases) -> Store:
    return make_store(postgres.migrated_url("gateway"))


@pytest.fixture
def stopped_quota_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep all calls in one window of each quota, however slow the machine is."""
    monkeypatch.setattr("gateway.access.rate_limits.monotonic", lambda: 1_000_000.5)
