"""A dossier ends with the results of its procedure, given by who decides."""

from typing import Any

from tests.dossier_service.desk import (
    STAY,
    Desk,
    result,
)


async def test_procedure_with_a_result_does_not_end_without_one(desk: Desk) -> None:
    dossier = await desk.move(await desk.file(), 4)
    answer = await desk.try_change(dossier, "transitions", {"to": 9})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/result-missing")


async def test_procedure_without_a_result_ends_without_one(desk: Desk) -> None:
    dossier = await desk.move(await desk.file(procedure=STAY), 9)
    assert dossier["results"] == []


async def test_result_is_one_of_the_procedure(desk: Desk) -> None:
    dossier = await desk.move(await desk.file(), 4)
    strange = await desk.try_change(dossier, "results", result(code="KQ.G15.000099"))
    assert (strange.status_code, strange.json()["known"]) == (422, ["KQ.G15.000031"])
    malformed = await desk.try_change(dossier, "results", result(code="001090000001"))
    assert malformed.status_code == 422
    dossier = await desk.issue(dossier, file_sha256="ab" * 32)
    (issued,) = (await desk.read(dossier["code"])).json()["results"]
    assert (issued["number"], issued["file_sha256"]) == ("12/2026", "ab" * 32)


async def test_result_is_given_where_handling_may_end(desk: Desk) -> None:
    dossier = await desk.file(channel=2)
    answer = await desk.try_change(dossier, "results", result())
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/result-refused")


async def test_who_decides_gives_the_result_and_ends_it(desk: Desk) -> None:
    decider: dict[str, Any] = {"agencies": ["H29.101"]}
    dossier = await desk.file(received_by="H26.101", decided_by="H29.101")
    for what, body in (("results", result()), ("transitions", {"to": 9})):
        refused = await desk.try_change(dossier, what, body)
        assert (refused.status_code, refused.json()["responsible_agency"]) == (403, "H29.101")
        done = await desk.try_change(dossier, what, body, right=decider)
        assert done.status_code < 300, done.text
        dossier = done.json()
    assert (await desk.move(dossier, 10))["status"] == 10


async def test_recalled_result_does_not_end_it_again(desk: Desk) -> None:
    dossier = await desk.move(await desk.issue(await desk.move(await desk.file(), 4)), 9)
    dossier = await desk.move(dossier, 4, reason="wrong-result")
    assert dossier["results"][0]["recalled_at"]
    answer = await desk.try_change(dossier, "transitions", {"to": 9})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/result-missing")
    assert (await desk.move(await desk.issue(dossier), 9))["status"] == 9
