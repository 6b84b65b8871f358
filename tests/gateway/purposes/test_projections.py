import pytest
from sqlalchemy import select

from gateway.purposes.models import KnownProcedure
from gateway.purposes.projections import upsert_published_procedures
from shared.codes.agency import CodeError
from tests.conftest import Databases
from tests.gateway.purposes.catalogues import (
    BIRTH,
)
from tests.support.gateway_harness import (
    Gate,
    Services,
    make_procedure,
    open_gate,
)


async def test_older_version_of_a_procedure_changes_nothing(
    postgres: Databases, services: Services
) -> None:
    newest = make_procedure(BIRTH, version=3, active=False, catalogue_size=7)
    older = make_procedure(BIRTH, version=2, catalogue_size=5)
    without_size = make_procedure(BIRTH, version=3, active=False, catalogue_size=None)
    async with open_gate(postgres.migrated_url("gateway"), services) as gate:
        for events in ([newest, older], [older], [without_size], [older, without_size]):
            async with gate.sessions.begin() as session:
                await upsert_published_procedures(session, events)
        async with gate.sessions() as session:
            [kept] = await session.scalars(select(KnownProcedure))
        assert (kept.version, kept.active, kept.catalogue_size) == (3, False, 7)


async def test_announcement_of_a_code_that_is_none_is_refused(gate: Gate) -> None:
    async with gate.sessions() as session:
        with pytest.raises(CodeError):
            await upsert_published_procedures(session, [make_procedure("đi chơi")])
