"""The identity service on its own seeded database, called as the gateway calls it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from jwt.algorithms import OKPAlgorithm
from sqlalchemy.ext.asyncio import AsyncSession

from deploy.run_sync import run_apart
from identity_service.main import create_app
from identity_service.seed import seed
from identity_service.settings import GUESS_MEMORY_S, Settings
from tests.conftest import Databases
from tests.identity_service.calls import Identity
from tests.identity_service.signing_in import KEY, SYSTEM
from tests.support.event_keys import key_text
from tests.support.factories import CALL_KEY, DIGEST_KEY, TestAuthority
from tests.support.serving import calling

PEOPLE = 500
# Tests ask for the same few people all the time; those of the budgets have the real numbers.
UNBOUNDED = 1_000_000
BUDGETS = (
    "guesses_of_officer",
    "guesses_of_agency",
    "misses_of_officer",
    "misses_of_client",
    "misses_of_agency",
)


def make_settings(database_url: str, **over: object) -> Settings:
    defaults: dict[str, object] = {
        "database_url": database_url,
        "kafka_servers": "127.0.0.1:1",
        "call_key": CALL_KEY,
        "digest_key": DIGEST_KEY,
        "event_key": key_text("identity_service"),
        "person_hash_key": "5b" * 32,
        "key_encryption_key": Fernet.generate_key().decode(),
        "sandbox": True,
        "issuer_aliases": "https://mesh.example:8443",
        "guess_memory_seconds": GUESS_MEMORY_S,
        "people": PEOPLE,
        **dict.fromkeys(BUDGETS, UNBOUNDED),
    }
    return Settings.model_validate(defaults | over)


@asynccontextmanager
async def serving(settings: Settings, authority: TestAuthority) -> AsyncIterator[Identity]:
    app = create_app(settings)
    async with calling(app, authority) as http:
        yield Identity(app, http, authority, settings)


@pytest.fixture(scope="session")
def settings(postgres: Databases, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Of a migrated and seeded database that the tests of this service share."""
    sandbox: Path = tmp_path_factory.mktemp("sandbox") / "sandbox.json"
    made = make_settings(postgres.migrated_url("identity_service"), sandbox_file=sandbox)

    async def prepare() -> None:
        await seed(made)

    run_apart(prepare())
    return made


@pytest.fixture(scope="session")
def authority() -> TestAuthority:
    return TestAuthority()


@pytest.fixture(scope="session")
async def identity(settings: Settings, authority: TestAuthority) -> AsyncIterator[Identity]:
    async with serving(settings, authority) as identity:
        yield identity


@pytest.fixture
async def undone(identity: Identity) -> AsyncIterator[AsyncSession]:
    """A transaction that leaves nothing to the other tests."""
    async with identity.app.state.sessions() as session:
        yield session
        await session.rollback()


@pytest.fixture(scope="session")
async def system(identity: Identity) -> str:
    """A production client with a registered key."""
    new = {"client_id": SYSTEM, "agency": "G18", "name": "Hospital", "kind": "production"}
    created = await identity.call("POST /identity/v1/clients", json=new)
    assert created.status_code == 201
    public = OKPAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    registered = await identity.call_by_two(
        "POST /identity/v1/clients/{client_id}/keys",
        at={"client_id": SYSTEM},
        json=public | {"kid": "first"},
    )
    assert registered.status_code == 201
    return SYSTEM
