"""The service with the budgets of production, and its clock."""

from collections.abc import AsyncIterator

import pytest

from deploy.run_sync import run_apart
from identity_service.seed import seed
from identity_service.settings import Settings
from tests.conftest import Databases
from tests.identity_service.calls import Identity
from tests.identity_service.conftest import make_settings, serving
from tests.identity_service.guessing import (
    REAL,
    SEEDED,
    Clock,
    moving_clock,
)
from tests.support.factories import TestAuthority


@pytest.fixture(scope="session")
def bounded(postgres: Databases) -> Settings:
    """Of a database with the budgets of production."""
    made = make_settings(postgres.migrated_url("identity_service"), people=SEEDED, **REAL)

    async def prepare() -> None:
        await seed(made)

    run_apart(prepare())
    return made


@pytest.fixture(scope="session")
async def guarded(bounded: Settings, authority: TestAuthority) -> AsyncIterator[Identity]:
    async with serving(bounded, authority) as identity:
        yield identity


@pytest.fixture
async def clock(guarded: Identity) -> AsyncIterator[Clock]:
    async with moving_clock(guarded) as clock:
        yield clock
