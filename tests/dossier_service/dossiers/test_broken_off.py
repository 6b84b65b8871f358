"""A dossier that is withdrawn or stopped: its end, its recall, and the return of its papers."""

import pytest

from tests.dossier_service.desk import SEAL, Desk, at, instant, result


async def test_papers_handed_back_leave_the_end_where_it_was(desk: Desk) -> None:
    for status in (7, 8):
        desk.now = at("11-16 09:00")
        dossier = await desk.file()
        desk.now = at("11-16 10:00")
        dossier = await desk.move(dossier, status)
        assert instant(dossier["finished_at"]) == at("11-16 10:00")
        desk.now = at("11-18 09:00")
        dossier = await desk.move(dossier, 10)
        assert instant(dossier["finished_at"]) == at("11-16 10:00")
        (*_, told) = await desk.events(dossier["code"])
        assert instant(told["finished_at"]) == at("11-16 10:00")


async def test_result_after_a_stop_is_a_new_end(desk: Desk) -> None:
    dossier = await desk.move(await desk.file(), 4, 8)
    dossier = await desk.issue(dossier)
    desk.now = at("11-18 09:00")
    dossier = await desk.move(dossier, 9)
    desk.now = at("11-19 09:00")
    dossier = await desk.move(dossier, 10)
    assert instant(dossier["finished_at"]) == at("11-18 09:00")


async def test_stopped_dossier_that_goes_on_has_not_ended(desk: Desk) -> None:
    assert (await desk.move(await desk.file(), 8, 4))["finished_at"] is None


@pytest.mark.parametrize("way", [(5, 8), (6, 8), (5, 1, 5, 8)])
async def test_dossier_stopped_before_reception_is_not_taken_up_again(
    desk: Desk, way: tuple[int, ...]
) -> None:
    dossier = await desk.file(channel=2, decided_by="H26.301")
    dossier = await desk.move(dossier, *way)
    assert (dossier["permitted"], dossier["responsible_agency"]) == ([10], "H26.101")
    for to in (4, 9):
        answer = await desk.try_change(dossier, "transitions", {"to": to})
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (409, "/problems/transition-refused")
        assert (problem["current"], problem["permitted"]) == (8, [10])
    refused = await desk.try_change(dossier, "results", result())
    assert refused.status_code == 409
    dossier = await desk.move(dossier, 10)
    assert (dossier["received_at"], dossier["due_at"]) == (None, None)


# Days of a dossier that was received on Monday 16 November at 9:00, and how many of them it waited.
@pytest.mark.parametrize(
    ("course", "waited"),
    [
        ([(17, 8), (18, 4)], 0),
        ([(17, 5), (18, 8), (20, 4)], 1),
        ([(17, 5), (18, 4), (19, 8), (20, 4)], 1),
    ],
)
async def test_recall_after_reception_leaves_reception_and_moves_the_due_date_by_waits_alone(
    desk: Desk, course: list[tuple[int, int]], waited: int
) -> None:
    plain = await desk.move(await desk.file(procedure=SEAL), 4)
    dossier = await desk.move(await desk.file(procedure=SEAL), 4)
    for day, status in course:
        desk.now = at(f"11-{day} 09:00")
        dossier = await desk.move(dossier, status)
    due, before = instant(dossier["due_at"]), instant(plain["due_at"])
    assert due
    assert before
    assert (due - before).days == waited
    assert (dossier["status"], dossier["finished_at"]) == (4, None)
    assert dossier["received_at"] == plain["received_at"]
