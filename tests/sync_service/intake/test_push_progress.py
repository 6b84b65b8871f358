"""Progress of pushed dossiers: held until they come, taken once, later than what is known."""

from typing import Any

import pytest
from sqlalchemy import text

from sync_service.intake.jobs import delete_expired_progress
from tests.sync_service.national import PROGRESS, National, filed, new_code, row


def step(code: str, time: str, status: int = 4, name: str = "") -> dict[str, Any]:
    day = time if "T" in time else f"2026-11-02T{time}"
    return {"code": code, "status": status, "source_time": f"{day}:00+07:00", "step": name}


async def test_progress_moves_the_dossier_and_the_same_again_does_not(national: National) -> None:
    pushed = row(status=2)
    await national.push(pushed)
    one = step(pushed["code"], "10:00", 4, "appraisal")
    assert await national.progress(one, one) == ["updated", "duplicate"]
    assert await national.progress(one) == ["duplicate"]
    read = await national.read(pushed["code"])
    assert (read["status"], read["version"]) == (4, 2)


async def test_progress_of_an_unknown_dossier_is_held_and_applied_when_it_comes(
    national: National,
) -> None:
    code = new_code()
    late, early = step(code, "2026-11-03T09:00", 9), step(code, "11:00", 4, "appraisal")
    assert await national.progress(late, early) == ["held", "held"]
    assert await national.progress(late) == ["held"]
    assert (await national.get(code)).status_code == 404
    assert await national.outcomes(row(code=code, status=2)) == ["accepted"]
    read = await national.read(code)
    assert (read["status"], read["version"]) == (9, 3)
    assert await national.timeline(code) == [
        ("synced", 2, None),
        ("progressed", 4, "appraisal"),
        ("progressed", 9, None),
    ]
    assert (
        await national.scalar("SELECT count(*) FROM held_progress WHERE code = :code", code=code)
        == 0
    )
    assert await national.progress(late) == ["duplicate"]


async def test_progress_held_from_another_client_is_not_applied(national: National) -> None:
    code = new_code()
    assert await national.progress(step(code, "10:00", 10), by="external-other") == ["held"]
    await national.push(row(code=code))
    assert (await national.read(code))["status"] == 4


async def test_older_progress_is_stale_and_stays_in_the_timeline(national: National) -> None:
    pushed = row(status=4)
    await national.push(pushed)
    assert await national.progress(step(pushed["code"], "08:50", 2, "desk")) == ["stale"]
    assert (await national.read(pushed["code"]))["status"] == 4
    assert await national.timeline(pushed["code"]) == [
        ("progressed", 2, "desk"),
        ("synced", 4, None),
    ]


async def test_progress_with_the_time_of_the_dossier_itself_is_taken(national: National) -> None:
    pushed = row(status=2)
    await national.push(pushed)
    assert await national.progress(step(pushed["code"], "09:00", 4)) == ["updated"]
    assert (await national.read(pushed["code"]))["status"] == 4


async def test_progress_of_a_dossier_of_the_mesh_is_refused(national: National) -> None:
    code = new_code()
    await national.project(filed(code, received_by="H41.101", decided_by="H41.101"))
    assert await national.progress(step(code, "10:00", 9)) == ["refused"]


async def test_bad_progress_is_refused_and_the_others_are_taken(national: National) -> None:
    pushed = row()
    await national.push(pushed)
    good, bad = step(pushed["code"], "10:00"), step(pushed["code"], "10:00", 12)
    assert await national.progress(bad, good, {}) == ["refused", "updated", "refused"]


async def test_end_is_status_9_else_the_first_other_end_since_last_taken_up_again(
    national: National,
) -> None:
    pushed = row(status=4)
    code = pushed["code"]
    await national.push(pushed)
    await national.progress(
        step(code, "2026-11-04T09:00", 9),
        step(code, "2026-11-05T09:00", 4),  # recalled: the first end no longer counts
        step(code, "2026-11-06T09:00", 8),
        step(code, "2026-11-08T09:00", 10),
    )
    # there is no 9 since the recall, and the 10 hands the papers back
    assert (await national.read(code))["ended_at"] == "2026-11-06T02:00:00Z"
    await national.progress(step(code, "2026-11-07T09:00", 9))  # told late: a result after the stop
    assert (await national.read(code))["ended_at"] == "2026-11-07T02:00:00Z"
    assert (await national.read(code))["status"] == 10


async def test_taken_up_again_is_no_longer_ended(national: National) -> None:
    pushed = row(status=9, finished_at="2026-11-02T09:00:00+07:00")
    await national.push(pushed)
    await national.progress(step(pushed["code"], "10:00", 4))
    read = await national.read(pushed["code"])
    assert (read["ended_at"], read["finished_at"]) == (None, None)


async def test_repeated_row_does_not_undo_progress_of_the_same_time(national: National) -> None:
    pushed = row(status=2, version=3)
    await national.push(pushed)
    await national.progress(step(pushed["code"], "09:00", 4))
    assert await national.outcomes(pushed) == ["duplicate"]
    assert (await national.read(pushed["code"]))["status"] == 4


async def test_progress_outside_the_right_is_answered_as_if_the_dossier_were_unknown(
    national: National,
) -> None:
    ours, theirs, absent = new_code(), row(), new_code()
    elsewhere = {"received_by": "H26.101", "decided_by": "H26.101"}
    await national.project(filed(ours, **elsewhere))
    await national.push(theirs | elsewhere, right={"agencies": None})
    codes = (ours, theirs["code"], absent)
    results = await national.push(*(step(code, "10:00", 9) for code in codes), to=PROGRESS)
    answers = [{**each, "code": ""} for each in results]
    assert answers == answers[:1] * 3
    assert answers[0]["outcome"] == "held"
    assert (await national.read(theirs["code"]))["status"] == 4


async def test_progress_of_a_procedure_outside_the_right_is_not_applied(
    national: National,
) -> None:
    pushed = row(procedure="2.000815")
    await national.push(pushed)
    right = {"agencies": ["H41"], "procedures": ["1.001193"]}
    assert await national.progress(step(pushed["code"], "10:00", 9), right=right) == ["held"]
    assert (await national.read(pushed["code"]))["status"] == 4


@pytest.mark.parametrize("written", ["Nguyễn Văn An", "079203001234", "desk 3", "x" * 41])
async def test_step_is_a_slug_and_no_free_text(national: National, written: str) -> None:
    pushed = row()
    await national.push(pushed)
    (result,) = await national.push(step(pushed["code"], "10:00", 4, written), to=PROGRESS)
    assert (result["outcome"], result["reason"]) == ("refused", "invalid_row")
    assert written not in result["detail"]


async def test_progress_held_for_more_than_thirty_days_is_dropped(empty: National) -> None:
    old, young = new_code(), new_code()
    await empty.progress(step(old, "10:00"), step(young, "10:00"))
    async with empty.sessions.begin() as session:
        await session.execute(
            text("UPDATE held_progress SET held_at = now() - interval '31 days' WHERE code = :old"),
            {"old": old},
        )
        await delete_expired_progress(session)
    assert await empty.scalar("SELECT array_agg(code) FROM held_progress") == [young]


@pytest.mark.parametrize("status", range(1, 11))
async def test_state_that_was_written_before_its_reception_is_refused(
    national: National, status: int
) -> None:
    received = {"received_at": "2026-11-20T09:00:00+07:00", "due_at": "2026-11-21T09:00:00+07:00"}
    early = row(status=status, source_time="2026-11-20T08:59:59+07:00", **received)
    unreceived = {"filed_at": "2026-11-03T09:00:00+07:00", "received_at": None, "due_at": None}
    unfiled = row(status=6, **unreceived)
    found = await national.push(early, unfiled)
    assert [(each["outcome"], each["reason"]) for each in found] == [
        ("refused", "source_time_before_received"),
        ("refused", "source_time_before_filed"),
    ]
    assert "source_time lies before received_at" in found[0]["detail"]
    equal = row(status=status, source_time=received["received_at"], **received)
    assert await national.outcomes(equal) == ["accepted"]


@pytest.mark.parametrize("status", [3, 7, 8, 9, 10])
async def test_end_before_the_reception_or_the_filing_counts_for_nothing(
    national: National, status: int
) -> None:
    filed = {"filed_at": "2026-11-10T08:00:00+07:00", "source_time": "2026-11-10T09:00:00+07:00"}
    unreceived = row(status=1, **filed | {"received_at": None, "due_at": None})
    received = row(**filed | {"received_at": "2026-11-10T08:30:00+07:00"} | {"due_at": None})
    await national.push(unreceived, received)
    for pushed, time in ((unreceived, "2026-11-10T07:59:59"), (received, "2026-11-10T08:29:59")):
        before = await national.read(pushed["code"])
        early = {"code": pushed["code"], "status": status, "source_time": f"{time}+07:00"}
        (result,) = await national.push(early, to=PROGRESS)
        assert (result["outcome"], result["warnings"]) == ("stale", ["end_before_reception"])
        assert await national.read(pushed["code"]) == before | {"version": 2}
        # An end that follows it is the first one.
        end = {"code": pushed["code"], "status": 8, "source_time": "2026-11-11T09:00:00+07:00"}
        assert await national.progress(end) == ["updated"]
        assert (await national.read(pushed["code"]))["ended_at"] == "2026-11-11T02:00:00Z"


async def test_reception_is_not_corrected_to_lie_after_the_end(national: National) -> None:
    pushed = row(status=2)
    await national.push(pushed)
    assert await national.progress(step(pushed["code"], "10:00", 9)) == ["updated"]
    later = pushed | {"received_at": "2026-11-02T11:00:00+07:00", "version": 1}
    (result,) = await national.push(later)
    assert (result["outcome"], result["reason"]) == ("refused", "source_time_before_received")
    taken_up = later | {"source_time": "2026-11-02T12:00:00+07:00", "status": 4}
    assert await national.outcomes(taken_up) == ["updated"]
    # The end that was told before lies before the reception: it is none.
    await national.progress(step(pushed["code"], "13:00", 10))
    assert (await national.read(pushed["code"]))["ended_at"] == "2026-11-02T06:00:00Z"


async def test_held_progress_that_ends_before_the_reception_is_taken_with_a_warning(
    national: National,
) -> None:
    code = new_code()
    assert await national.progress(step(code, "08:10", 9), step(code, "10:00", 4)) == ["held"] * 2
    (result,) = await national.push(row(code=code, status=2))
    assert (result["outcome"], result["warnings"][-1]) == ("accepted", "end_before_reception")
    read = await national.read(code)
    assert (read["status"], read["version"], read["ended_at"]) == (4, 3, None)
