"""The sync service on a database of its own, called as the gateway calls it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from shared.web.dependencies import read_now
from sync_service.main import create_app
from sync_service.national_view import projections
from sync_service.settings import Settings
from tests.conftest import Databases
from tests.support.event_keys import key_text
from tests.support.factories import CALL_KEY, DIGEST_KEY, TestAuthority
from tests.support.serving import calling
from tests.sync_service.national import National

TODAY = datetime.fromisoformat("2026-11-22T10:00:00+07:00")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are projected at the time of the tests, as pushes are taken."""
    monkeypatch.setattr(projections, "utc_now", lambda: TODAY)


@pytest.fixture(scope="session")
def authority() -> TestAuthority:
    return TestAuthority()


def make_settings(postgres: Databases, **over: object) -> Settings:
    made = {
        "database_url": postgres.migrated_url("sync_service"),
        "kafka_servers": "127.0.0.1:1",
        "call_key": CALL_KEY,
        "digest_key": DIGEST_KEY,
        "event_key": key_text("sync_service"),
    }
    return Settings.model_validate(made | over)


@asynccontextmanager
async def serving(settings: Settings, authority: TestAuthority) -> AsyncIterator[National]:
    app = create_app(settings)
    app.dependency_overrides[read_now] = lambda: TODAY
    async with calling(app, authority) as http:
        yield National(app, http, authority, settings)


@pytest.fixture(scope="session")
def settings(postgres: Databases) -> Settings:
    return make_settings(postgres)


@pytest.fixture
def own_settings(postgres: Databases) -> Settings:
    return make_settings(postgres)


@pytest.fixture(scope="session")
async def national(settings: Settings, authority: TestAuthority) -> AsyncIterator[National]:
    """One view that many tests write to: each looks for its own dossiers only."""
    async with serving(settings, authority) as national:
        yield national


@pytest.fixture
async def empty(own_settings: Settings, authority: TestAuthority) -> AsyncIterator[National]:
    """A view without a dossier, for a test that counts."""
    async with serving(own_settings, authority) as national:
        yield national
