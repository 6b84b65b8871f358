"""Events out of order leave the newest; one that comes again, dead letters too, changes nothing."""

from datetime import datetime, timedelta

from sqlalchemy import text

from shared.events import Event, FeePaid, ResultIssued
from shared.messaging.inbox import RETENTION_DAYS, delete_expired_inbox_rows
from shared.runtime.operator_routes import list_dead_letters
from sync_service.handlers import HANDLERS
from tests.shared.event_flow import handle_records, record
from tests.sync_service.national import (
    National,
    agency,
    filed,
    moved,
    new_code,
    progressed,
    standing,
)

TABLES = (
    "national_dossier",
    "dossier_event",
    "national_party",
    "national_party_pending",
    "agency",
    "tally",
    "tally_state",
)


async def everything(national: National) -> dict[str, list[str]]:
    async with national.sessions() as session:
        return {
            table: list(await session.scalars(text(f"SELECT t::text FROM {table} t ORDER BY 1")))
            for table in TABLES
        }


async def forget_all(national: National) -> None:
    """As if all of them had been handled so long ago."""
    async with national.sessions.begin() as session:
        past = timedelta(days=RETENTION_DAYS, minutes=1)
        await session.execute(
            text("UPDATE handled_event SET at = at - CAST(:past AS interval)"), {"past": past}
        )
        await delete_expired_inbox_rows(session)


def life(code: str) -> list[Event]:
    """Asked for supplements twice, decided, taken up again, decided anew and returned."""
    ended: dict[str, datetime] = {"finished_at": standing(code, 8, 9)["at"]}
    return [
        agency("H26.101", "UBND phường", "commune", version=1),
        filed(code),
        FeePaid(**standing(code, 2, 2), fee="LP", amount_vnd=8_000, online=True),
        moved(code, 3, 5),
        moved(code, 4, 4),
        moved(code, 5, 5),
        progressed(code, 6, "appraisal"),
        moved(code, 7, 9),
        moved(code, 8, 4),
        ResultIssued(**standing(code, 9, 9, **ended), result="KQ", electronic=True),
        moved(code, 10, 10, **ended),
        agency("H26.101", "UBND phường Ba Đình", "commune", version=2),
    ]


async def test_event_that_comes_again_when_the_inbox_has_forgotten_it_changes_nothing(
    empty: National,
) -> None:
    records = [
        record(event, offset=number) for number, event in enumerate(life(new_code("H26.101")))
    ]
    for one in records:
        await handle_records(empty.sessions, [one], HANDLERS)
    before = await everything(empty)
    assert all(before[table] for table in TABLES if table != "national_party_pending")
    for again in (*([one] for one in records), records, records[::-1]):
        await forget_all(empty)
        await handle_records(empty.sessions, again, HANDLERS)
        assert await everything(empty) == before
    assert await empty.scalar("SELECT count(*) FROM handled_event") == len(records)
    async with empty.sessions() as session:
        assert not await list_dead_letters(session, "open")


async def test_events_out_of_order_leave_the_newest_and_a_timeline_in_order(
    national: National,
) -> None:
    code = new_code("H26.101")
    await national.project(moved(code, 3, 5), filed(code), progressed(code, 2, "appraisal"))
    read = await national.read(code)
    assert (read["version"], read["status"]) == (3, 5)
    assert await national.timeline(code) == [
        ("filed", 2, None),
        ("progressed", 4, "appraisal"),
        ("moved", 5, None),
    ]
    await national.project(filed(code), moved(code, 2, 4))
    assert (await national.read(code))["version"] == 3
    assert len(await national.timeline(code)) == 4  # the late move at version 2 was new


async def test_batch_of_events_takes_the_same_statements_for_any_number(national: National) -> None:
    async def asked(events: int, status: int) -> int:
        batch = [moved(new_code(), 2, status) for _ in range(events)]
        with national.asking() as seen:
            await national.project(*batch)
        return len(seen)

    # The locks, the states, all of the view, the counters.
    assert [await asked(1, 4), await asked(50, 4)] == [4, 4]
    # The database finds the end, or the requests.
    assert [await asked(1, 9), await asked(50, 9), await asked(50, 5)] == [5, 5, 5]
    code = new_code()
    await national.project(filed(code))
    with national.asking() as seen:
        await national.project(moved(code, 2, 10))
    # Its timeline tells when it ended, it is pending no more; a counter may be zero.
    assert len(seen) in {6, 7}
