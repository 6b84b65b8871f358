from typing import Any
from uuid import uuid4

import pytest

from shared.codes.enums import DossierStatus
from shared.codes.reason import Reason
from shared.rules.statuses import permitted_statuses
from tests.dossier_service.desk import (
    BIRTH_FEE,
    COPY,
    COPY_FEE,
    COPY_RESULT,
    DOSSIERS,
    ONE,
    Desk,
    at,
    instant,
    payment,
    result,
)
from tests.support.statements import statements


async def test_dossier_goes_from_filing_to_return(desk: Desk) -> None:
    dossier = await desk.file(channel=2, decided_by="H26.301")
    dossier = await desk.move(dossier, 2, 4)
    assert dossier["responsible_agency"] == "H26.301"
    dossier = await desk.issue(dossier)
    desk.now = at("11-16 15:00")
    dossier = await desk.move(dossier, 9)
    assert dossier["responsible_agency"] == "H26.101"
    assert instant(dossier["finished_at"]) == at("11-16 15:00")
    dossier = await desk.move(dossier, 10)
    assert (dossier["status"], dossier["permitted"]) == (10, [])
    assert instant(dossier["finished_at"]) == at("11-16 15:00")


async def test_every_change_is_told_once_with_a_rising_version(desk: Desk) -> None:
    dossier = await desk.file(channel=2, fees=[BIRTH_FEE])
    dossier = await desk.move(dossier, 6)
    dossier = await desk.pay(dossier)
    dossier = await desk.move(dossier, 1, 2, 4)
    dossier = await desk.change(dossier, "progress", step="civil-status-officer")
    dossier = await desk.issue(dossier)
    dossier = await desk.move(dossier, 9)
    told = await desk.events(dossier["code"])
    assert [event["version"] for event in told] == list(range(1, 10))
    assert [event["type"].split(".")[1] for event in told] == [
        "filed",
        "moved",
        "fee_paid",
        *("moved",) * 3,
        "progressed",
        "result_issued",
        "moved",
    ]
    assert [event["status"] for event in told] == [1, 6, 6, 1, 2, 4, 4, 4, 9]
    assert told[2]["online"]
    assert told[6]["step"] == "civil-status-officer"
    assert told[8]["previous"] == 4


async def test_history_has_a_step_for_every_version(desk: Desk) -> None:
    dossier = await desk.move(await desk.file(channel=2), 2)
    await desk.change(dossier, "progress", step="desk-2", note="giao anh Bình")
    steps = await desk.history(dossier["code"])
    assert [(s["version"], s["act"], s["from_status"], s["to_status"]) for s in steps] == [
        (1, "filed", None, 1),
        (2, "moved", 1, 2),
        (3, "progressed", 2, 2),
    ]
    assert {s["officer"] for s in steps} == {"officer-1"}
    assert "Bình" not in str(steps)


async def test_forbidden_transition_says_what_is_permitted(desk: Desk) -> None:
    dossier = await desk.file(channel=2)
    answer = await desk.try_change(dossier, "transitions", {"to": 9})
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["type"] == "/problems/transition-refused"
    assert (problem["current"], problem["asked"]) == (1, 9)
    assert problem["permitted"] == [2, 3, 5, 6, 7]
    assert (await desk.read(dossier["code"])).json()["version"] == 1


@pytest.mark.parametrize("status", list(DossierStatus))
async def test_from_the_first_status_the_table_decides(desk: Desk, status: DossierStatus) -> None:
    dossier = await desk.file(channel=2)
    answer = await desk.try_change(dossier, "transitions", {"to": status})
    allowed = permitted_statuses(DossierStatus.REGISTERED, before=None)
    assert (answer.status_code == 200) == (status in allowed)


async def test_payment_required_goes_back_only_where_it_came_from(desk: Desk) -> None:
    dossier = await desk.move(await desk.file(channel=2), 2, 6)
    assert dossier["permitted"] == [2, 7, 8]
    refused = await desk.try_change(dossier, "transitions", {"to": 1})
    assert refused.status_code == 409


async def test_recall_of_what_is_processed_needs_a_reason(desk: Desk) -> None:
    dossier = await desk.issue(await desk.move(await desk.file(), 4))
    dossier = await desk.move(dossier, 9)
    answer = await desk.try_change(dossier, "transitions", {"to": 4})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/reason-missing")
    dossier = await desk.move(dossier, 4, reason="wrong-result", note="sai tên của Bình")
    assert (dossier["reason"], dossier["finished_at"]) == ("wrong-result", None)
    told = (await desk.events(dossier["code"]))[-1]
    assert told["reason"] == "wrong-result"
    assert "Bình" not in str(told)


async def test_note_is_read_with_the_dossier_only(desk: Desk) -> None:
    dossier = await desk.move(
        await desk.file(channel=2), 3, reason="wrong-agency", note="gửi sở khác"
    )
    assert "note" not in dossier
    assert (await desk.read(dossier["code"])).json()["note"] == "gửi sở khác"


@pytest.mark.parametrize(
    "reason",
    [
        "001090000001",
        "x" * 41,
        "Nguyễn Văn An",
        "",
        "nguyen-van-an",
        "VanAn.1990",
        "Papers-Missing",
    ],
)
async def test_reason_outside_the_list_is_refused_unrepeated(desk: Desk, reason: str) -> None:
    dossier = await desk.file(channel=2)
    answer = await desk.try_change(dossier, "transitions", {"to": 3, "reason": reason})
    assert answer.status_code == 422
    assert "papers-missing" in answer.text
    assert not reason or reason not in answer.text


async def test_each_reason_of_the_list_is_told(desk: Desk) -> None:
    dossier = await desk.file(channel=2)
    for place, reason in enumerate(Reason):
        dossier = await desk.move(dossier, 1 if place % 2 else 5, reason=reason)
    *_, last = await desk.events(dossier["code"])
    assert (last["reason"], dossier["reason"]) == (reason, reason)
    told = [each["reason"] for each in await desk.history(dossier["code"])]
    assert told == [None, *Reason]
    assert all(each.label for each in Reason)


@pytest.mark.parametrize("what", ["transitions", "progress", "payments", "results"])
async def test_change_needs_the_version_it_changes(desk: Desk, what: str) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "transitions": {"to": 4},
        "progress": {"step": "desk"},
        "payments": payment(fee=COPY_FEE, amount_vnd=2000),
        "results": result(code=COPY_RESULT),
    }
    dossier = await desk.file(procedure=COPY)
    path = f"{DOSSIERS}/{dossier['code']}/{what}"
    without = await desk.call(f"POST {ONE}/{what}", path, json=bodies[what])
    assert without.status_code == 428
    stale = await desk.try_change(dossier | {"version": 7}, what, bodies[what])
    assert (stale.status_code, stale.json()["version"]) == (412, 1)
    garbled = await desk.try_change(dossier, what, bodies[what], headers={"If-Match": "7"})
    assert garbled.status_code == 400
    done = await desk.try_change(dossier, what, bodies[what])
    assert done.status_code == (200 if what == "transitions" else 201)
    assert done.headers["X-Subject"] != "-"


async def test_change_that_is_sent_twice_takes_effect_once(desk: Desk) -> None:
    dossier = await desk.file()
    headers = {"Idempotency-Key": str(uuid4())}
    first = await desk.try_change(dossier, "transitions", {"to": 4}, headers=headers)
    again = await desk.try_change(dossier, "transitions", {"to": 4}, headers=headers)
    assert (again.status_code, again.json()) == (200, first.json())
    assert len(await desk.events(dossier["code"])) == 2


async def test_transition_takes_few_statements(desk: Desk) -> None:
    dossier = await desk.file()
    with statements() as seen:
        headers = {"Idempotency-Key": str(uuid4())}
        await desk.try_change(dossier, "transitions", {"to": 4}, headers=headers)
    assert len(seen) <= 8, seen


async def test_only_the_responsible_agency_moves_a_dossier(desk: Desk) -> None:
    dossier = await desk.file(received_by="H26.101", decided_by="H29.101")
    decider: dict[str, Any] = {"agencies": ["H29.101"]}
    early = await desk.try_change(dossier, "transitions", {"to": 4}, right=decider)
    assert early.status_code == 403
    assert early.json()["responsible_agency"] == "H26.101"
    dossier = await desk.move(dossier, 4)
    late = await desk.try_change(dossier, "transitions", {"to": 8})
    assert (late.status_code, late.json()["responsible_agency"]) == (403, "H29.101")
    done = await desk.try_change(dossier, "transitions", {"to": 8}, right=decider)
    assert done.status_code == 200


async def test_papers_asked_for_before_reception_leave_it_with_the_receiver(desk: Desk) -> None:
    early = await desk.move(await desk.file(channel=2, decided_by="H26.301"), 5)
    assert early["responsible_agency"] == "H26.101"
    assert early["permitted"] == [1, 2, 3, 7, 8]
    later = await desk.move(await desk.file(decided_by="H26.301"), 5)
    assert later["responsible_agency"] == "H26.301"


async def test_dossier_of_others_does_not_exist(desk: Desk) -> None:
    dossier = await desk.file()
    rights: list[dict[str, Any]] = [
        {"agencies": ["H29"]},
        {"agencies": []},
        {"procedures": ["1.000656"]},
    ]
    for right in rights:
        answer = await desk.try_change(dossier, "transitions", {"to": 4}, right=right)
        assert answer.status_code == 404, right


async def test_progress_keeps_the_status(desk: Desk) -> None:
    dossier = await desk.move(await desk.file(), 4)
    dossier = await desk.change(dossier, "progress", step="civil-status-officer")
    assert (dossier["status"], dossier["version"]) == (4, 3)
    ended = await desk.move(await desk.file(channel=2), 3)
    answer = await desk.try_change(ended, "progress", {"step": "desk"})
    assert (answer.status_code, answer.json()["permitted"]) == (409, [])


@pytest.mark.parametrize("to", [-1, 100, 79090000001])
async def test_number_that_can_be_no_status_is_refused_unrepeated(desk: Desk, to: int) -> None:
    answer = await desk.try_change(await desk.file(channel=2), "transitions", {"to": to})
    assert (answer.status_code, answer.json()["errors"][0]["at"]) == (422, "body.to")


@pytest.mark.parametrize("to", [0, 11, 99])
async def test_status_that_is_none_is_refused_with_what_may_follow(desk: Desk, to: int) -> None:
    answer = await desk.try_change(await desk.file(channel=2), "transitions", {"to": to})
    assert (answer.status_code, answer.json()["permitted"]) == (409, [2, 3, 5, 6, 7])
    assert "asked" not in answer.json()


async def test_note_of_progress_is_read_with_the_dossier(desk: Desk) -> None:
    dossier = await desk.change(await desk.file(), "progress", step="desk-2", note="giao anh Bình")
    assert (await desk.read(dossier["code"])).json()["note"] == "giao anh Bình"
