from collections.abc import AsyncIterator

import asyncpg
import pytest

from deploy.postgres import plain_url
from gateway.operations.table import OPERATIONS
from tests.conftest import Databases
from tests.gateway.process import gateway_process
from tests.proxy.harness import Stage
from tests.proxy.upstream import services_behind
from tests.support.gateway_harness import make_grant

# One client plays all callers of the catalogue.
NO_QUOTA = 1_000_000


@pytest.fixture(scope="session")
async def stage(
    postgres: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """One gateway process for the whole catalogue: no case may leave it worse than it was."""
    database_url, folder = postgres.migrated_url("gateway"), tmp_path_factory.mktemp("gateway")
    everything = make_grant(operations=list(OPERATIONS), agencies=None, per_second=NO_QUOTA)
    async with (
        services_behind() as behind,
        gateway_process(database_url, behind, folder, grant=everything) as gateway,
        asyncpg.create_pool(plain_url(database_url), min_size=1, max_size=4) as ledger,
    ):
        yield Stage(gateway, behind, ledger)
