from collections.abc import AsyncIterator

import pytest

from tests.conftest import Databases
from tests.gateway.purposes.catalogues import AGENCIES, CATALOGUE
from tests.support.gateway_harness import (
    Gate,
    Services,
    make_agency,
    make_procedure,
    open_gate,
)


@pytest.fixture(scope="module")
async def strict(postgres: Databases, services: Services) -> AsyncIterator[Gate]:
    """A gateway that knows the whole catalogue, and a client with a right to all procedures."""
    async with open_gate(postgres.migrated_url("gateway"), services) as gate:
        size = len(CATALOGUE)
        procedures = [
            make_procedure(code, active=active, catalogue_size=size)
            for code, active in CATALOGUE.items()
        ]
        await gate.tell(*procedures, *map(make_agency, sorted(AGENCIES)))
        yield gate
