"""What other systems push: an answer for each row, one authority, nothing older over newer."""

from datetime import timedelta
from inspect import iscoroutinefunction
from typing import Any

import pytest

from shared.web.dependencies import now
from sync_service.agencies.projections import project_procedures
from tests.sync_service.conftest import TODAY
from tests.sync_service.national import (
    DOSSIERS,
    EXTERNAL,
    PROGRESS,
    National,
    filed,
    moved,
    new_code,
    published,
    row,
)


def later(pushed: dict[str, object], time: str, **over: object) -> dict[str, object]:
    return pushed | {"source_time": f"2026-11-02T{time}:00+07:00"} | over


async def test_dossier_is_accepted_updated_and_read_at_once(national: National) -> None:
    first = row(status=2)
    assert await national.outcomes(first) == ["accepted"]
    assert (await national.read(first["code"]))["status_name"] == "Được tiếp nhận"
    assert await national.outcomes(later(first, "10:00", status=4)) == ["updated"]
    read = await national.read(first["code"])
    assert (read["status"], read["version"], read["source"]) == (4, 2, EXTERNAL)


async def test_same_row_again_is_a_duplicate_without_effect(national: National) -> None:
    first = row()
    assert await national.outcomes(first, first) == ["accepted", "duplicate"]
    assert await national.outcomes(first) == ["duplicate"]
    assert (await national.read(first["code"]))["version"] == 1
    assert await national.timeline(first["code"]) == [("synced", 4, None)]


async def test_older_row_is_stale_and_only_kept_in_the_timeline(national: National) -> None:
    first = row(status=4)
    await national.push(first)
    assert await national.outcomes(later(first, "08:45", status=2)) == ["stale"]
    assert (await national.read(first["code"]))["status"] == 4
    assert await national.timeline(first["code"]) == [("synced", 2, None), ("synced", 4, None)]


async def test_higher_version_wins_among_rows_of_one_time(national: National) -> None:
    first = row(version=3, status=2)
    await national.push(first)
    assert await national.outcomes(first | {"version": 4, "status": 4}) == ["updated"]
    assert await national.outcomes(first | {"version": 3, "status": 5}) == ["stale"]


async def test_dossier_of_the_mesh_is_refused(national: National) -> None:
    code = new_code()
    await national.project(filed(code, received_by="H41.101", decided_by="H41.101"))
    (result,) = await national.push(row(code=code))
    assert (result["outcome"], result["reason"]) == ("refused", "other_source")
    assert (await national.read(code))["source"] == "/dossier_service"


async def test_dossier_of_another_client_is_refused(national: National) -> None:
    first = row()
    await national.push(first)
    (result,) = await national.push(later(first, "12:00"), by="external-other")
    assert (result["outcome"], result["reason"]) == ("refused", "other_source")
    (progress,) = await national.push(
        {"code": first["code"], "status": 9, "source_time": "2026-11-03T08:00:00+07:00"},
        by="external-other",
        to=PROGRESS,
    )
    assert progress["reason"] == "other_source"


async def test_event_of_the_mesh_takes_over_a_copy_that_was_pushed(national: National) -> None:
    pushed = row()
    await national.push(pushed)
    await national.project(moved(pushed["code"], 5, received_by="H41.101", decided_by="H41.101"))
    assert (await national.read(pushed["code"]))["source"] == "/dossier_service"
    assert await national.outcomes(later(pushed, "23:00")) == ["refused"]


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


async def test_refusal_of_a_dossier_told_by_others_does_not_say_by_whom(
    national: National,
) -> None:
    ours, theirs = new_code(), row()
    await national.project(filed(ours, received_by="H41.101", decided_by="H41.101"))
    await national.push(theirs)
    results = await national.push(row(code=ours), later(theirs, "12:00"), by="external-other")
    assert len({(each["outcome"], each["reason"], each["detail"]) for each in results}) == 1


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


@pytest.mark.parametrize(
    "body",
    [{}, {"rows": []}, {"rows": "x"}, [], {"rows": [row()] * 1_001}],
    ids=["nothing", "no row", "no list", "a list", "too many"],
)
async def test_malformed_body_is_unprocessable(national: National, body: object) -> None:
    response = await national.call(f"POST {DOSSIERS}", by=EXTERNAL, json=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


async def test_unregistered_agency_is_a_warning_only(national: National) -> None:
    (result,) = await national.push(row(received_by="H41.999"))
    assert (result["outcome"], result["warnings"]) == ("accepted", ["agency_unknown"])


async def test_title_is_taken_and_not_kept(national: National) -> None:
    pushed = row(title="Đăng ký khai sinh cho Nguyễn Văn An")
    assert await national.outcomes(pushed) == ["accepted"]
    assert "Nguyễn" not in (await national.get(pushed["code"])).text


async def test_repeat_with_the_same_key_gets_the_first_answer(national: National) -> None:
    pushed, key = row(), {"Idempotency-Key": new_code()}
    assert await national.outcomes(pushed, headers=key) == ["accepted"]
    assert await national.outcomes(pushed, headers=key) == ["accepted"]


async def test_taken_rows_are_announced_with_their_versions(national: National) -> None:
    first = row(status=2)
    await national.push(first, first, later(first, "10:00", status=4), later(first, "08:00"))
    versions = await national.scalar(
        "SELECT array_agg(convert_from(value, 'UTF8')::json ->> 'version' ORDER BY position)"
        " FROM outbox WHERE key = :code AND headers ->> 'ce_type' = 'sync.dossier.synced.v1'",
        code=first["code"],
    )
    assert versions == ["1", "2"]


async def test_api_description_shows_what_a_row_is(national: National) -> None:
    push = national.app.openapi()["components"]["schemas"]["DossierPush"]
    assert "source_time" in push["properties"]["rows"]["items"]["required"]


async def statements(national: National, rows: int, status: int = 4, **how: Any) -> list[str]:
    """What the database is asked while so many new dossiers are pushed."""
    with national.asking() as seen:
        await national.push(*(row(status=status) for _ in range(rows)), **how)
    return seen


async def test_push_takes_the_same_statements_for_any_number_and_counts_last(
    national: National,
) -> None:
    """All writers share the cells of the tallies: each holds them for the shortest time."""
    async with national.sessions.begin() as session:
        await project_procedures(session, [published("1.001193")])
    await national.push(row())  # names its agency for the first time
    one, many = await statements(national, 1), await statements(national, 50)
    assert len(one) == len(many) == 9
    # One more reads from the timelines when dossiers ended or supplements were requested.
    assert len(await statements(national, 50, status=5)) == 10
    assert len(await statements(national, 50, status=9)) == 10
    # With a key one more, which claims it: what is remembered goes with what is announced.
    keyed = await statements(national, 50, headers={"Idempotency-Key": new_code()})
    assert len(keyed) == 10
    assert any("INSERT INTO outbox" in each and "idempotency_key" in each for each in keyed)
    assert "INSERT INTO tally" in many[-1]
    assert "INSERT INTO tally" in keyed[-1]


def test_reading_the_clock_takes_no_thread() -> None:
    assert iscoroutinefunction(now)


@pytest.mark.parametrize(
    ("narrowed", "reason"),
    [
        ({"agencies": ["H41"]}, "agency_not_covered"),
        ({"procedures": ["2.000815"]}, "procedure_not_covered"),
    ],
)
async def test_a_narrowed_right_no_longer_changes_what_a_wider_one_told(
    national: National, narrowed: dict[str, object], reason: str
) -> None:
    """Saying that it stands elsewhere does not bring it within the right."""
    told = row(code=new_code("H41.101"), received_by="H26.101", decided_by="H26.101")
    assert await national.outcomes(told, right={"agencies": ["H41", "H26"]}) == ["accepted"]
    within = {"received_by": "H41.101", "decided_by": "H41.101", "procedure": "2.000815"}
    [refused] = await national.push(later(told, "10:00", **within), right=narrowed)
    assert (refused["outcome"], refused["reason"]) == ("refused", reason)
    read = await national.read(told["code"])
    assert (read["version"], read["received_by"]["code"]) == (1, "H26.101")
    wide = {"agencies": ["H41", "H26"]}
    assert await national.outcomes(later(told, "10:00", **within), right=wide) == ["updated"]
