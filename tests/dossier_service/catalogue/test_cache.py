import pytest

from dossier_service.catalogue import cache
from dossier_service.catalogue.cache import ProcedureCache
from dossier_service.catalogue.own_procedures import read_own_procedures
from tests.dossier_service.catalogue.samples import longer, put
from tests.dossier_service.desk import BIRTH, SEAL, Desk, at, instant


async def test_dossier_keeps_the_version_in_force_at_its_reception(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "CURRENT_S", 0.0)
    received = await own_desk.file(procedure=SEAL)
    waiting = await own_desk.file(procedure=SEAL, channel=2)
    await put(own_desk, longer())
    handled = await own_desk.move(received, 4)
    assert (handled["procedure_version"], handled["due_at"]) == (1, received["due_at"])
    late = await own_desk.move(waiting, 2)
    assert late["procedure_version"] == 2
    # Five working days from Monday 9:00; Tuesday the 24th is a holiday, and not reached.
    assert instant(late["due_at"]) == at("11-23 09:00")


async def test_cache_asks_the_database_once(own_desk: Desk) -> None:
    procedures = ProcedureCache()
    async with own_desk.sessions() as session:
        first = await procedures.find_current(session, BIRTH)
        await session.close()
        # Closed: a query would begin a transaction again.
        assert await procedures.find_current(session, BIRTH) is first
        assert await procedures.find_version(session, BIRTH, 1) is first
        assert not session.in_transaction()
        assert await procedures.find_current(session, "1.999999") is None


async def test_cache_is_bounded(own_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_VERSIONS", 3)
    procedures = ProcedureCache()
    async with own_desk.sessions() as session:
        for code in read_own_procedures():
            assert await procedures.find_current(session, code)
    assert len(procedures._versions) == 3
