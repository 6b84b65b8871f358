import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text

from dossier_service.catalogue.own_procedures import read_own_procedures
from dossier_service.catalogue.procedure import Procedure
from dossier_service.catalogue.use_cases import publish_procedures
from dossier_service.dossiers.jobs import recalculate_due_dates
from shared.codes.enums import ENDED, Channel, DossierStatus
from shared.rules import working_days as calendars
from shared.rules.deadlines import Term, Unit
from shared.rules.statuses import first_status, permitted_statuses
from shared.rules.working_days import Corrections
from shared.runtime.migrations import build_configuration
from tests.conftest import MORE
from tests.dossier_service.desk import PASSPORT, SEAL, Desk, at, instant
from tests.dossier_service.dossiers.test_deadline_oracle import (
    ICT,
    expected_due,
    expected_extension,
)

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


def walks(first: DossierStatus, longest: int) -> list[tuple[DossierStatus, ...]]:
    """Return every walk through the table that leaves status 5 and has not ended."""
    found: list[tuple[DossierStatus, ...]] = []
    open_ends: list[tuple[DossierStatus, ...]] = [(first,)]
    while open_ends:
        walk = open_ends.pop()
        if DossierStatus.SUPPLEMENT_REQUESTED in walk[:-1] and walk[-1] not in ENDED:
            found.append(walk)
        if len(walk) <= longest:
            before = walk[-2] if len(walk) > 1 else None
            following = first_moves(walk[-1])
            if before:
                is_received = DossierStatus.RECEIVED in walk
                following = permitted_statuses(walk[-1], before=before, is_received=is_received)
            open_ends += [(*walk, to) for to in sorted(following)]
    return found


def first_moves(first: DossierStatus) -> frozenset[DossierStatus]:
    """Return the statuses that a dossier can enter from the one in which it was filed."""
    return permitted_statuses(first, before=DossierStatus.RETURNED)


async def go(desk: Desk, walk: Sequence[DossierStatus], chance: Random, **over: Any) -> str:
    """File a dossier, lead it along the walk with pauses of up to four days; return its code."""
    dossier = await file_at_ministry(desk, at("12-29 10:00"), procedure=SEAL, **over)
    for to in walk[1:]:
        desk.now += timedelta(minutes=chance.choice([1, 40, 700, 1_500, 3_000, 5_700]))
        if to is DossierStatus.PROCESSED:
            dossier = await desk.issue(dossier, code="KQ.G01.000031", title="Dấu")
        dossier = await desk.move(dossier, to, reason="applicant-request")
    return str(dossier["code"])


def expected_end(received_at: datetime, steps: Sequence[dict[str, Any]]) -> datetime:
    """Reckon three working days from reception, moved on by each wait since then."""
    due = expected_due(received_at, Term(3, Unit.WORKING_DAY))
    for asked, left in pairwise(step for step in steps if step["act"] == "moved"):
        began, ended = (datetime.fromisoformat(s["at"]).astimezone(ICT) for s in (asked, left))
        if asked["to_status"] == DossierStatus.SUPPLEMENT_REQUESTED and ended > received_at:
            due = expected_extension(due, max(began, received_at), ended)
    return due


@pytest.mark.timeout(600)
async def test_unchanged_calendar_changes_nothing_on_any_walk_through_the_table(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The post has no term of its own here, so that the longest of the procedure counts."""
    timed = read_own_procedures()[SEAL].model_dump(mode="json")
    for each in timed["channels"]:
        if each["channel"] == Channel.POST:
            each["duration"], each["unit"] = None, None
    own_desk.now = at("12-28 08:00")
    async with own_desk.sessions.begin() as session:
        await publish_procedures(session, [Procedure.model_validate(timed)], now=own_desk.now)
    chance = Random(5)
    for channel in Channel:
        # Every short walk, and some of the long ones.
        short, long = (walks(first_status(channel), most) for most in (3, 6))
        for walk in [*short, *chance.sample(long, 2 * MORE)]:
            await go(own_desk, walk, chance, channel=channel)
    stood = "SELECT code, version, due_at, latest_at, received_at FROM dossier ORDER BY code"
    before = await own_desk.rows(stood)
    ends = {code: due or latest for code, _, due, latest, received in before if received}
    for code, _, _, _, received_at in before:
        if received_at:
            own = expected_end(received_at.astimezone(ICT), await own_desk.history(code))
            assert ends[code] == own
    assert any(latest for *_, latest, _ in before)
    with announced(monkeypatch):
        assert await recalculate(own_desk) == len(ends) > 20
    assert await own_desk.rows(stood) == before


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
