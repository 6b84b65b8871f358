"""A pushed row is validated, and held against the right of its sender."""

from datetime import timedelta

import pytest

from tests.sync_service.conftest import TODAY
from tests.sync_service.national import (
    DOSSIERS,
    EXTERNAL,
    PROGRESS,
    National,
    new_code,
    row,
)


async def test_agency_outside_the_right_is_refused(national: National) -> None:
    (result,) = await national.push(row(received_by="H26.101"))
    assert result["reason"] == "agency_not_covered"
    assert (await national.get(result["code"])).status_code == 404


async def test_either_agency_within_the_right_will_do(national: National) -> None:
    received = row(decided_by="G01.05")
    decided = row(code=new_code("H41.102"), received_by="H26.101", decided_by="H41")
    assert await national.outcomes(received, decided) == ["accepted", "accepted"]


async def test_code_of_another_agency_cannot_be_claimed(national: National) -> None:
    code = new_code("H26.101")
    claim = row(code=code, received_by="H41.101", decided_by="H41.101")
    (result,) = await national.push(claim)
    assert (result["outcome"], result["reason"]) == ("refused", "agency_not_covered")
    (held,) = await national.push(
        {"code": code, "status": 9, "source_time": "2026-11-03T08:00:00+07:00"}, to=PROGRESS
    )
    assert held["reason"] == "agency_not_covered"
    right = {"agencies": ["H26"]}
    assert await national.outcomes(row(code=code, received_by="H26.101"), right=right) == [
        "accepted"
    ]


async def test_old_form_of_an_agency_code_is_covered_by_the_new(national: National) -> None:
    assert await national.outcomes(row(received_by="000.00.07.H41")) == ["accepted"]


async def test_procedure_outside_the_right_is_refused(national: National) -> None:
    right = {"agencies": ["H41"], "procedures": ["1.001193"]}
    good, local, bad = row(), row(procedure="1.001193.H41"), row(procedure="2.000815")
    results = await national.push(good, local, bad, right=right)
    assert [result["outcome"] for result in results] == ["accepted", "accepted", "refused"]
    assert results[2]["reason"] == "procedure_not_covered"
    right = {"agencies": ["H41"], "procedures": ["1.001193.H41"]}
    assert await national.outcomes(
        row(), row(procedure="1.001193.H41"), row(procedure="1.001193.H41.1"), right=right
    ) == ["refused", "accepted", "refused"]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"code": "079203001234"}, "invalid_row"),
        ({"status": 11}, "invalid_row"),
        ({"channel": 4}, "invalid_row"),
        ({"procedure": "khai sinh"}, "invalid_row"),
        ({"received_by": "Nghệ An"}, "invalid_row"),
        ({"source_time": "2026-11-02T09:00:00"}, "invalid_row"),
        ({"filed_at": "0001-01-01T00:00:00+14:00"}, "invalid_row"),
        ({"unknown": 1}, "invalid_row"),
        ({"received_at": None}, "received_at_missing"),
        ({"finished_at": "2026-11-05T08:00:00+07:00"}, "finished_but_open"),
        ({"status": 9, "finished_at": "2026-11-01T08:00:00+07:00"}, "finished_before_received"),
        ({"received_at": "2026-11-02T07:59:59+07:00"}, "received_before_filed"),
        ({"due_at": "2026-11-02T08:29:59+07:00"}, "due_before_received"),
        (
            {"status": 3, "received_at": None, "finished_at": "2026-11-02T07:59:59+07:00"},
            "finished_before_filed",
        ),
        ({"source_time": "2026-11-23T09:00:00+07:00"}, "source_time_ahead"),
        ({"filed_at": "2199-11-23T09:00:00+07:00"}, "filed_ahead"),
        ({"received_at": "2199-11-23T09:00:00+07:00"}, "received_ahead"),
        ({"status": 9, "finished_at": "2030-11-23T09:00:00+07:00"}, "finished_ahead"),
    ],
)
async def test_bad_row_is_refused_and_the_others_are_taken(
    national: National, wrong: dict[str, object], reason: str
) -> None:
    before, after = row(), row()
    results = await national.push(before, row() | wrong, after)
    assert [result["outcome"] for result in results] == ["accepted", "refused", "accepted"]
    assert results[1]["reason"] == reason
    assert results[1]["detail"]


LATEST = (TODAY + timedelta(minutes=5)).isoformat()


@pytest.mark.parametrize(
    ("name", "over"),
    [
        ("filed_at", {"status": 1, "received_at": None, "due_at": None, "source_time": LATEST}),
        ("received_at", {"due_at": None, "source_time": LATEST}),
        ("finished_at", {"status": 9}),
        ("source_time", {}),
    ],
)
async def test_instant_is_refused_when_it_lies_more_than_five_minutes_ahead(
    national: National, name: str, over: dict[str, object]
) -> None:
    near = row(**over) | {name: LATEST}
    far = row(**over) | {name: (TODAY + timedelta(minutes=5, seconds=1)).isoformat()}
    taken, refused = await national.push(near, far)
    assert (taken["outcome"], refused["outcome"]) == ("accepted", "refused")
    assert refused["reason"] == f"{name.removesuffix('_at')}_ahead"
    assert name in refused["detail"]
    assert (await national.get(far["code"])).status_code == 404


async def test_equal_instants_are_in_order(national: National) -> None:
    moment = "2026-11-02T08:00:00+07:00"
    names = "filed_at", "received_at", "due_at", "finished_at"
    assert await national.outcomes(row(status=9, **dict.fromkeys(names, moment))) == ["accepted"]


async def test_contradiction_names_both_fields_and_changes_no_figure(empty: National) -> None:
    (result,) = await empty.push(row(due_at="2026-11-01T17:00:00+07:00"))
    assert result["reason"] == "due_before_received"
    assert "due_at" in result["detail"]
    assert "received_at" in result["detail"]
    assert await empty.scalar("SELECT count(*) FROM tally") == 0
    assert await empty.scalar("SELECT count(*) FROM dossier_event") == 0


async def test_bad_row_is_told_how_to_mend_it(national: National) -> None:
    (result,) = await national.push(row() | {"unknown": 1, "code": "H41"})
    assert "A dossier code has three blocks" in result["detail"]
    assert "the fields here are: code, status, source_time, procedure" in result["detail"]
    told = {"code": row()["code"], "status": 4, "source_time": row()["source_time"]}
    (result,) = await national.push(told | {"step": "bàn 3"}, to=PROGRESS)
    assert "step: Not of the expected form: for instance desk-3" in result["detail"]


async def test_refusal_does_not_repeat_what_stood_in_the_row(national: National) -> None:
    number, name = "079203001234", "Nguyễn Văn An"
    wrong = row() | {"code": number, "received_by": name, "procedure": number, "status": name}
    unknown = row() | {name: 1, number: 2}
    response = await national.call(
        f"POST {DOSSIERS}", by=EXTERNAL, json={"rows": [wrong, unknown, number, None, [name]]}
    )
    assert [each["outcome"] for each in response.json()["results"]] == ["refused"] * 5
    assert number not in response.text
    assert name not in response.text
