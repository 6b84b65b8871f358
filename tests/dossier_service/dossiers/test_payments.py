"""What a dossier costs is paid once, and before what must wait for it."""

from typing import Any

import pytest

from tests.dossier_service.desk import (
    BIRTH_FEE,
    COPY,
    COPY_FEE,
    COPY_RESULT,
    PASSPORT,
    Desk,
    at,
    instant,
    payment,
)


async def test_result_is_not_returned_while_a_fee_is_open(desk: Desk) -> None:
    dossier = await desk.move(await desk.file(procedure=COPY), 4)
    dossier = await desk.move(await desk.issue(dossier, code=COPY_RESULT), 9)
    answer = await desk.try_change(dossier, "transitions", {"to": 10})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/fee-open")
    assert answer.json()["fees"] == [{"code": COPY_FEE, "amount_vnd": 2000}]
    dossier = await desk.move(await desk.pay(dossier, fee=COPY_FEE, amount_vnd=2000), 10)
    assert dossier["status"] == 10


async def test_fee_due_before_holds_the_dossier_back(desk: Desk) -> None:
    dossier = await desk.move(await desk.file(procedure=PASSPORT, channel=2), 6)
    answer = await desk.try_change(dossier, "transitions", {"to": 1})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/fee-open")
    (fee,) = dossier["fees"]
    desk.now = at("11-17 10:00")
    dossier = await desk.pay(dossier, fee=fee["code"], amount_vnd=160000)
    desk.now = at("11-20 16:00")
    dossier = await desk.move(dossier, 1)
    # The clock of reception begins again when it is paid:
    # 1.5 hours to 11:30, 3.5 to 17:00, 3 from 7:00.
    assert instant(dossier["reception_due_at"]) == at("11-18 10:00")


async def test_same_payment_again_has_no_effect(desk: Desk) -> None:
    dossier = await desk.file(fees=[BIRTH_FEE])
    body = payment()
    first = await desk.try_change(dossier, "payments", body)
    again = await desk.try_change(dossier, "payments", body)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert len(await desk.events(dossier["code"])) == 2
    (fee,) = again.json()["fees"]
    assert (fee["reference"], fee["method"]) == (body["reference"], "online")


async def test_payment_that_does_not_fit_is_refused(desk: Desk) -> None:
    dossier = await desk.file(fees=[BIRTH_FEE])
    unfit: list[tuple[dict[str, Any], int, str]] = [
        ({"fee": "LP-X"}, 422, "fee-unknown"),
        ({"amount_vnd": 7999}, 422, "amount-wrong"),
        ({"amount_vnd": 0}, 422, "invalid-request"),
        ({"method": "barter"}, 422, "invalid-request"),
        ({"reference": "a b"}, 422, "invalid-request"),
    ]
    for over, status, problem in unfit:
        answer = await desk.try_change(dossier, "payments", payment(**over))
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}")
    paid = await desk.pay(dossier, reference="R-1")
    late: list[tuple[dict[str, Any], str]] = [
        ({"reference": "R-1", "amount_vnd": 9000}, "payment-reference-used"),
        ({"reference": "R-2"}, "fee-paid-before"),
    ]
    for over, problem in late:
        answer = await desk.try_change(paid, "payments", payment(**over))
        assert (answer.status_code, answer.json()["type"]) == (409, f"/problems/{problem}")


async def test_each_of_the_agencies_may_take_the_money(desk: Desk) -> None:
    dossier = await desk.file(fees=[BIRTH_FEE], helped_by="H26.401", decided_by="H29.101")
    answer = await desk.try_change(dossier, "payments", payment(), right={"agencies": ["H26.401"]})
    assert answer.status_code == 201


async def test_refused_dossier_takes_no_payment(desk: Desk) -> None:
    dossier = await desk.move(await desk.file(channel=2, fees=[BIRTH_FEE]), 3)
    answer = await desk.try_change(dossier, "payments", payment())
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/payment-refused")


@pytest.mark.parametrize("to", [4, 9])
async def test_fee_due_before_holds_handling_back(desk: Desk, to: int) -> None:
    dossier = await desk.issue(await desk.file(fees=[BIRTH_FEE]))
    answer = await desk.try_change(dossier, "transitions", {"to": to})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/fee-open")
    assert (await desk.move(await desk.pay(dossier), to))["status"] == to
