"""What other systems push: an answer for each row, one authority, nothing older over newer."""

from inspect import iscoroutinefunction
from typing import Any

import pytest

from shared.web.dependencies import read_now
from sync_service.agencies.projections import upsert_procedures
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


async def test_refusal_of_a_dossier_told_by_others_does_not_say_by_whom(
    national: National,
) -> None:
    ours, theirs = new_code(), row()
    await national.project(filed(ours, received_by="H41.101", decided_by="H41.101"))
    await national.push(theirs)
    results = await national.push(row(code=ours), later(theirs, "12:00"), by="external-other")
    assert len({(each["outcome"], each["reason"], each["detail"]) for each in results}) == 1


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
    schemas = national.app.openapi()["components"]["schemas"]
    assert "source_time" in schemas["DossierRow"]["required"]
    rows = schemas["DossierPush"]["properties"]["rows"]
    assert rows["items"] == {"$ref": "#/components/schemas/DossierRow"}


async def statements(national: National, rows: int, status: int = 4, **how: Any) -> list[str]:
    """What the database is asked while so many new dossiers are pushed."""
    with national.asking() as seen:
        await national.push(*(row(status=status) for _ in range(rows)), **how)
    return seen


async def test_push_takes_the_same_statements_for_any_number_and_counts_last(
    national: National,
) -> None:
    """All writers share the counters: each locks them for the shortest time."""
    async with national.sessions.begin() as session:
        await upsert_procedures(session, [published("1.001193")])
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
    assert iscoroutinefunction(read_now)


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
