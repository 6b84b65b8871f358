"""The dossier service on a database of its own with the own catalogue, called as by the gateway."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI

from deploy.run_sync import run_apart
from dossier_service.catalogue.own_procedures import read_own_procedures
from dossier_service.catalogue.use_cases import publish_first_procedures
from dossier_service.main import create_app
from dossier_service.settings import Settings
from shared.database.engine import open_database
from shared.web.dependencies import read_now
from tests.conftest import Databases
from tests.dossier_service.desk import Desk, at, utc
from tests.support.event_keys import key_text
from tests.support.factories import CALL_KEY, DIGEST_KEY, TestAuthority
from tests.support.serving import calling
from tests.support.templates import migrate_database

PERSON_KEY = "5b" * 32


def unmigrated_settings(postgres: Databases, **over: object) -> Settings:
    """Return settings of an empty database."""
    return _settings_of(postgres.database_url("dossier_service"), **over)


def _settings_of(database_url: str, **over: object) -> Settings:
    defaults = {
        "database_url": database_url,
        "kafka_servers": "127.0.0.1:1",
        "call_key": CALL_KEY,
        "digest_key": DIGEST_KEY,
        "event_key": key_text("dossier_service"),
        "person_hash_key": PERSON_KEY,
    }
    return Settings.model_validate(defaults | over)


def make_settings(postgres: Databases, **over: object) -> Settings:
    """Of a migrated database that holds the own procedures."""
    url = postgres.copied_url("dossier_service", "own procedures", _fill_with_procedures)
    return _settings_of(url, **over)


def _fill_with_procedures(url: str) -> None:
    migrate_database("dossier_service", url)
    run_apart(_publish_own_procedures(_settings_of(url)))


async def _publish_own_procedures(settings: Settings) -> None:
    async with open_database(settings) as sessions, sessions.begin() as session:
        await publish_first_procedures(session, read_own_procedures(), None, now=at("01-05 08:00"))


@asynccontextmanager
async def serving(
    settings: Settings, authority: TestAuthority, app: FastAPI | None = None
) -> AsyncIterator[Desk]:
    """Serve a new app, or one that has ended and begins anew."""
    app = app or create_app(settings)
    async with calling(app, authority) as http:
        desk = Desk(app, http, authority, settings)
        app.dependency_overrides[read_now] = lambda: utc(desk.now)
        yield desk


@pytest.fixture(scope="session")
def authority() -> TestAuthority:
    return TestAuthority()


@pytest.fixture(scope="session")
def settings(postgres: Databases) -> Settings:
    return make_settings(postgres)


@pytest.fixture(scope="session")
def app(settings: Settings) -> FastAPI:
    """Make the routes and the document of the shared database once, not for each test."""
    return create_app(settings)


@pytest.fixture
def own_settings(postgres: Databases) -> Settings:
    """Of a database that no other test writes to."""
    return make_settings(postgres)


@pytest.fixture
async def desk(settings: Settings, authority: TestAuthority, app: FastAPI) -> AsyncIterator[Desk]:
    """On a database that tests share: each looks at its own dossiers only."""
    async with serving(settings, authority, app) as desk:
        yield desk


@pytest.fixture
async def own_desk(own_settings: Settings, authority: TestAuthority) -> AsyncIterator[Desk]:
    async with serving(own_settings, authority) as desk:
        yield desk
