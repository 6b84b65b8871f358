import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text

from dossier_service.dossiers.jobs import recalculate_due_dates
from shared.rules import working_days as calendars
from shared.rules.working_days import Corrections
from shared.runtime.migrations import build_configuration
from tests.dossier_service.desk import PASSPORT, Desk, at, instant

# Monday 28 December 2026, 9:00; 1 January 2027 is a Friday off.
BEGINS = at("12-28 09:00")


@contextmanager
def announced(patch: pytest.MonkeyPatch, **said: Any) -> Iterator[None]:
    """Within, the days off of 2027 are announced, beyond those of the Labour Code."""
    new = Corrections.model_validate(
        {"year": 2027, "version": 2, "announced": True, "sources": ["a decision"]}
        | {"closed": {}, "worked": {}}
        | said
    )
    known = calendars.read_corrections

    def corrections(year: int) -> Corrections | None:
        return new if year == new.year else known(year)

    with patch.context() as patched:
        patched.setattr(calendars, "read_corrections", corrections)
        calendars.list_working_days.cache_clear()
        yield
    calendars.list_working_days.cache_clear()


async def recalculate(desk: Desk) -> int:
    async with desk.sessions.begin() as session:
        return await recalculate_due_dates(session, now=desk.now)


async def due_of(desk: Desk, code: str) -> tuple[datetime | None, bool]:
    dossier = (await desk.read(code)).json()
    return instant(dossier["due_at"]), dossier["due_provisional"]


async def file_passport(desk: Desk, begins: datetime = BEGINS) -> dict[str, Any]:
    """Return a dossier of eight working days."""
    return await file_at_ministry(desk, begins, procedure=PASSPORT, channel=1)


async def file_at_ministry(desk: Desk, begins: datetime, **over: Any) -> dict[str, Any]:
    desk.now = begins
    desk.agencies = None
    agency = {"received_by": "G01.20", "decided_by": "G01.20"}
    return await desk.file(documents=[], **agency, **over)


async def test_due_date_of_an_announced_year_is_certain(own_desk: Desk) -> None:
    filed = await file_passport(own_desk, at("11-30 09:00"))
    assert instant(filed["due_at"]) == at("12-10 09:00")
    assert filed["due_provisional"] is False


async def test_due_date_beyond_an_unconfirmed_day_is_provisional(own_desk: Desk) -> None:
    filed = await file_passport(own_desk, at("11-16 09:00"))
    # Tuesday 24 November is taken as off.
    assert instant(filed["due_at"]) == at("11-27 09:00")
    assert filed["due_provisional"] is True


async def test_year_without_an_announcement_is_not_computed_again(own_desk: Desk) -> None:
    filed = await file_passport(own_desk, datetime.fromisoformat("2061-03-01T09:00:00+07:00"))
    assert filed["due_provisional"] is True
    assert await recalculate(own_desk) == 0


async def test_provisional_due_date_moves_when_the_year_is_announced(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    filed = await file_passport(own_desk)
    # Tuesday 29 December to Thursday 31: 3 days; Monday 4 January to Friday 8: 5 more.
    due = datetime.fromisoformat("2027-01-08T09:00:00+07:00")
    assert (instant(filed["due_at"]), filed["due_provisional"]) == (due, True)
    with announced(monkeypatch, closed={date(2027, 1, 4): "Swapped with Saturday 9 January"}):
        assert await recalculate(own_desk) == 1
        moved = datetime.fromisoformat("2027-01-11T09:00:00+07:00")
        assert await due_of(own_desk, filed["code"]) == (moved, False)
        assert await recalculate(own_desk) == 0
    *_, last = await own_desk.history(filed["code"])
    assert (last["act"], last["step"], last["version"]) == ("progressed", "calendar-announced", 2)
    *_, told = await own_desk.events(filed["code"])
    assert told["type"] == "dossier.progressed.v1"
    assert (told["step"], instant(told["due_at"]), told["version"]) == (
        "calendar-announced",
        moved,
        2,
    )
    listed = "SELECT DISTINCT due_at FROM dossier_party WHERE dossier = :code"
    assert await own_desk.rows(listed, code=filed["code"]) == [(moved,)]


@pytest.mark.parametrize("version", [1, 2])
async def test_announcement_that_moves_nothing_leaves_no_step(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    """Version 1 is that of the year before it was announced."""
    filed = await file_passport(own_desk)
    with announced(monkeypatch, version=version):
        assert await recalculate(own_desk) == 1
        due, provisional = await due_of(own_desk, filed["code"])
    assert (due, provisional) == (instant(filed["due_at"]), False)
    assert len(await own_desk.history(filed["code"])) == 1


async def test_waits_for_papers_count_again_in_their_order(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    filed = await file_passport(own_desk)
    own_desk.now = at("12-29 09:00")
    asked = await own_desk.move(filed, 5, reason="papers-missing")
    own_desk.now = at("12-30 10:00")
    supplemented = await own_desk.move(asked, 2)
    # Friday 8 January 9:00 + 1 day and 1 hour: Saturday 9 -> Monday 11 at 17:00
    assert instant(supplemented["due_at"]) == datetime.fromisoformat("2027-01-11T17:00:00+07:00")
    with announced(monkeypatch, worked={date(2027, 1, 9): "Works"}):
        await recalculate(own_desk)
        # Saturday 9 January works: 10:00 lies in office hours
        moved = datetime.fromisoformat("2027-01-09T10:00:00+07:00")
        assert await due_of(own_desk, filed["code"]) == (moved, False)


async def test_several_dossiers_move_in_one_run_and_ended_ones_stay(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = [(await file_passport(own_desk))["code"] for _ in range(3)]
    ended = await own_desk.move(await file_passport(own_desk), 8, reason="not-eligible")
    with announced(monkeypatch, closed={date(2027, 1, 4): "Swapped with Saturday 9 January"}):
        assert await recalculate(own_desk) == 3
        moved = datetime.fromisoformat("2027-01-11T09:00:00+07:00")
        for code in codes:
            assert await due_of(own_desk, code) == (moved, False)
        assert (await due_of(own_desk, ended["code"]))[0] == instant(ended["due_at"])


async def test_wait_before_reception_is_not_counted_when_the_year_is_announced(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    filed = await file_at_ministry(own_desk, at("12-25 09:00"), procedure=PASSPORT, channel=2)
    asked = await own_desk.move(filed, 5)
    own_desk.now = BEGINS
    received = await own_desk.move(asked, 2)
    due = datetime.fromisoformat("2027-01-08T09:00:00+07:00")
    assert instant(received["due_at"]) == due
    with announced(monkeypatch):
        assert await recalculate(own_desk) == 1
        assert await due_of(own_desk, filed["code"]) == (due, False)
    assert [step["act"] for step in await own_desk.history(filed["code"])] == [
        "filed",
        "moved",
        "moved",
    ]


_MARK_MIGRATED = text("UPDATE alembic_version SET version_num = :version")


async def test_due_date_of_an_unknown_calendar_is_provisional_until_computed_again(
    own_desk: Desk,
) -> None:
    filed = await file_passport(own_desk, at("11-30 09:00"))
    ended = await own_desk.move(
        await file_passport(own_desk, at("11-30 09:00")), 8, reason="not-eligible"
    )
    unreceived = await file_at_ministry(own_desk, own_desk.now, procedure=PASSPORT, channel=2)
    # As an installation has them that began before due dates named their calendar.
    async with own_desk.sessions.begin() as session:
        early = "UPDATE dossier SET due_calendar = NULL, due_at = due_at - interval '1 day'"
        await session.execute(text(early))
        newest = await session.scalar(text("SELECT version_num FROM alembic_version"))
        await session.execute(_MARK_MIGRATED, {"version": "0005"})
    configuration = build_configuration(own_desk.settings)
    await asyncio.to_thread(command.upgrade, configuration, "0006")
    async with own_desk.sessions.begin() as session:
        await session.execute(_MARK_MIGRATED, {"version": newest})
    for code, provisional in ((filed["code"], True), (ended["code"], True)):
        assert await due_of(own_desk, code) == (at("12-09 09:00"), provisional)
    assert await due_of(own_desk, unreceived["code"]) == (None, False)
    assert await recalculate(own_desk) == 1
    assert await due_of(own_desk, filed["code"]) == (at("12-10 09:00"), False)
    assert await due_of(own_desk, ended["code"]) == (at("12-09 09:00"), True)
    *_, last = await own_desk.history(filed["code"])
    assert last["step"] == "calendar-announced"
    assert await recalculate(own_desk) == 0


async def test_wait_that_ends_before_the_worker_has_looked_hides_no_announcement(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    filed = await file_passport(own_desk)
    own_desk.now = at("12-29 09:00")
    asked = await own_desk.move(filed, 5, reason="papers-missing")
    with announced(monkeypatch, closed={date(2027, 1, 4): "Swapped with Saturday 9 January"}):
        own_desk.now = at("12-30 10:00")
        supplemented = await own_desk.move(asked, 2)
        assert supplemented["due_provisional"] is True
        assert await recalculate(own_desk) == 1
        # Monday 11 January 9:00, and 25 hours.
        moved = datetime.fromisoformat("2027-01-12T10:00:00+07:00")
        assert await due_of(own_desk, filed["code"]) == (moved, False)
