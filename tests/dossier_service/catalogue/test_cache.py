import pytest

from dossier_service.catalogue import cache
from dossier_service.catalogue.cache import ProcedureShelf
from dossier_service.catalogue.own_procedures import own_procedures
from tests.dossier_service.catalogue.samples import longer, put
from tests.dossier_service.desk import BIRTH, SEAL, Desk, at, instant


async def test_dossier_keeps_the_version_in_force_at_its_reception(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "CURRENT_SECONDS", 0.0)
    received = await own_desk.file(procedure=SEAL)
    waiting = await own_desk.file(procedure=SEAL, channel=2)
    await put(own_desk, longer())
    handled = await own_desk.move(received, 4)
    assert (handled["procedure_version"], handled["due_at"]) == (1, received["due_at"])
    late = await own_desk.move(waiting, 2)
    assert late["procedure_version"] == 2
    # Five working days from Monday 9:00; Tuesday the 24th is a holiday, and not reached.
    assert instant(late["due_at"]) == at("11-23 09:00")


async def test_shelf_asks_the_database_once(own_desk: Desk) -> None:
    shelf = ProcedureShelf()
    async with own_desk.sessions() as session:
        first = await shelf.current(session, BIRTH)
        await session.close()
        # Closed: a query would begin a transaction again.
        assert await shelf.current(session, BIRTH) is first
        assert await shelf.version(session, BIRTH, 1) is first
        assert not session.in_transaction()
        assert await shelf.current(session, "1.999999") is None


async def test_shelf_is_bounded(own_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST_VERSIONS", 3)
    shelf = ProcedureShelf()
    async with own_desk.sessions() as session:
        for code in own_procedures():
            assert await shelf.current(session, code)
    assert len(shelf._versions) == 3
