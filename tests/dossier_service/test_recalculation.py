from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

import pytest

from dossier_service.use_cases.recalculation import recalculate_due_dates
from shared import calendars
from shared.calendars import Corrections
from tests.dossier_service.desk import PASSPORT, Desk, at, instant, wish

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
    known = calendars.corrections

    def corrections(year: int) -> Corrections | None:
        return new if year == new.year else known(year)

    with patch.context() as patched:
        patched.setattr(calendars, "corrections", corrections)
        calendars.working_days.cache_clear()
        yield
    calendars.working_days.cache_clear()


async def recalculate(desk: Desk) -> int:
    async with desk.sessions.begin() as session:
        return await recalculate_due_dates(session, now=desk.now)


async def due_of(desk: Desk, code: str) -> tuple[datetime | None, bool]:
    dossier = (await desk.read(code)).json()
    return instant(dossier["due_at"]), dossier["due_provisional"]


async def file_passport(desk: Desk, begins: datetime = BEGINS) -> dict[str, Any]:
    """Return a dossier of eight working days."""
    desk.now = begins
    agency = {"received_by": "G01.20", "decided_by": "G01.20"}
    desk.agencies = None
    answer = await desk.try_file(wish(procedure=PASSPORT, channel=1, documents=[], **agency))
    assert answer.status_code == 201, answer.text
    filed: dict[str, Any] = answer.json()
    return filed


async def test_due_date_of_an_announced_year_is_certain(own_desk: Desk) -> None:
    filed = await file_passport(own_desk, at("11-30 09:00"))
    assert instant(filed["due_at"]) == at("12-10 09:00")
    assert filed["due_provisional"] is False


async def test_due_date_beyond_an_unconfirmed_day_is_provisional(own_desk: Desk) -> None:
    filed = await file_passport(own_desk, at("11-16 09:00"))
    # Tuesday 24 November is taken as off.
    assert instant(filed["due_at"]) == at("11-27 09:00")
    assert filed["due_provisional"] is True


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


async def test_announcement_that_moves_nothing_leaves_no_step(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    filed = await file_passport(own_desk)
    with announced(monkeypatch):
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
