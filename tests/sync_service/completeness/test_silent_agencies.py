"""An agency that pushes no more is told of, once it is past its own rhythm."""

from datetime import datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from shared.database.engine import open_database
from sync_service.agencies.models import Agency
from sync_service.completeness.jobs import delete_expired_hours, measure_silence
from sync_service.completeness.models import AgencyRhythm
from sync_service.completeness.silent_agencies import is_silent
from sync_service.completeness.use_cases import list_silent_agencies, record_push
from tests.sync_service.conftest import TODAY
from tests.sync_service.national import National, row

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("pause", "longest", "expected"),
    [
        (90 * HOUR, 60 * HOUR, False),  # 60 h x 1.5 = 90 h: a weekend's pause, not yet past it
        (91 * HOUR, 60 * HOUR, True),
        (36 * HOUR, None, False),  # no rhythm yet: 24 h x 1.5 = 36 h
        (37 * HOUR, None, True),
        (2 * HOUR, HOUR, False),  # hourly: 1.5 h would be within one hour's rounding
        (3 * HOUR, HOUR, True),
    ],
)
def test_silence_begins_half_as_long_again_after_the_longest_pause(
    pause: timedelta, longest: timedelta | None, expected: bool
) -> None:
    assert is_silent(pause, longest) is expected


async def silent_at(national: National, now: datetime) -> dict[str, timedelta]:
    async with open_database(national.settings) as sessions, sessions.begin() as session:
        return await list_silent_agencies(session, now)


def shown(agency: str) -> float | None:
    return REGISTRY.get_sample_value("agency_silent_seconds", {"agency": agency})


async def test_agency_that_pushed_is_silent_past_its_rhythm_and_heard_again(
    empty: National,
) -> None:
    await empty.push(row())
    [agency] = [*await silent_at(empty, TODAY + 2 * DAY)]
    assert await silent_at(empty, TODAY + DAY) == {}
    async with open_database(empty.settings) as sessions:
        async with sessions.begin() as session:
            await measure_silence(session, now=TODAY + 2 * DAY)
        assert shown(agency) == 2 * DAY.total_seconds()
        async with sessions.begin() as session:
            await record_push(session, agency, TODAY + 2 * DAY)
            await measure_silence(session, now=TODAY + 2 * DAY + HOUR)
    assert shown(agency) is None
    # Its longest pause is now two days: three may pass.
    assert await silent_at(empty, TODAY + 5 * DAY) == {}
    assert await silent_at(empty, TODAY + 5 * DAY + HOUR) == {agency: 3 * DAY + HOUR}


async def test_last_hour_of_an_agency_is_never_forgotten(empty: National) -> None:
    async with open_database(empty.settings) as sessions, sessions.begin() as session:
        for days in (0, 1, 40):
            await record_push(session, "H26", TODAY + days * DAY)
        await record_push(session, "G22", TODAY)
        await delete_expired_hours(session, now=TODAY + 41 * DAY)
        silent = await list_silent_agencies(session, TODAY + 100 * DAY)
    assert silent == {"H26": 60 * DAY, "G22": 100 * DAY}


async def test_agency_that_is_no_more_is_not_silent(empty: National) -> None:
    async with open_database(empty.settings) as sessions, sessions.begin() as session:
        for agency, valid_to in (("H26", None), ("H27", TODAY.date())):
            await record_push(session, agency, TODAY)
            session.add(
                Agency(
                    code=agency,
                    above="",
                    version=1,
                    name=agency,
                    level="province",
                    valid_to=valid_to,
                    successor=None,
                )
            )
        await session.flush()
        assert set(await list_silent_agencies(session, TODAY + 2 * DAY)) == {"H26"}


async def test_day_of_an_agency_ends_at_midnight_of_viet_nam(empty: National) -> None:
    """From midnight to seven in the morning, UTC still has the day before."""
    last_day = TODAY.date()
    evening = datetime.fromisoformat(f"{last_day}T23:59:00+07:00")
    async with open_database(empty.settings) as sessions, sessions.begin() as session:
        await record_push(session, "H27", TODAY - 9 * DAY)
        session.add(
            Agency(
                code="H27", above="", version=1, name="", level="province", valid_to=last_day,
                successor=None,
            )
        )  # fmt: skip
        await session.flush()
        assert set(await list_silent_agencies(session, evening)) == {"H27"}
        assert await list_silent_agencies(session, evening + timedelta(minutes=1)) == {}


async def test_cost_of_measuring_does_not_grow_with_history(empty: National) -> None:
    """Nothing but one row of each agency is read, also of an agency that pushed in each hour."""
    async with open_database(empty.settings) as sessions, sessions.begin() as session:
        for hours in range(0, 28 * 24, 7):
            await record_push(session, "H26", TODAY + hours * HOUR)
        await session.execute(text("DELETE FROM heard_hour"))
        now = TODAY + 60 * DAY
        assert await list_silent_agencies(session, now) == {"H26": now - TODAY - 665 * HOUR}
        rhythm = await session.get_one(AgencyRhythm, "H26")
        assert rhythm.longest_pause == 7 * HOUR
