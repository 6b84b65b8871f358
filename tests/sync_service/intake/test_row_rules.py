"""Work and answers of the national view are bounded by constants, not by the pushed rows."""

from datetime import timedelta
from typing import Any

import pytest

from sync_service.intake import row_rules
from sync_service.intake.row_rules import ENDS_BEYOND_BOUND, MAX_CHANGES
from tests.sync_service.national import PROGRESS, National, at, new_code, row

TIMELINE = "GET /sync/v1/dossiers/{code}/timeline"


def step(code: str, minute: int, status: int | None = None) -> dict[str, Any]:
    time = at("11-03 08:00") + timedelta(minutes=minute)
    status = status or (5 if minute % 2 else 4)
    return {"code": code, "status": status, "source_time": time.isoformat(), "step": f"s{minute}"}


async def page(view: National, code: str, **asked: Any) -> dict[str, Any]:
    path = f"/sync/v1/dossiers/{code}/timeline"
    response = await view.call(TIMELINE, path=path, params=asked)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_timeline_is_read_page_by_page_in_its_order(national: National) -> None:
    pushed = row(status=2)
    code = pushed["code"]
    same_time = [step(code, 3, status) | {"step": name} for status in (4, 5) for name in "ab"]
    await national.push(pushed)
    await national.progress(*(step(code, minute) for minute in (5, 1, 2)), *same_time)
    whole = await page(national, code, limit=500)
    assert (len(whole["entries"]), whole["next"]) == (8, None)
    pages: list[list[dict[str, Any]]] = []
    after = None
    while after or not pages:
        found = await page(national, code, limit=3, **({"after": after} if after else {}))
        pages.append(found["entries"])
        after = found["next"]
    assert [len(each) for each in pages] == [3, 3, 2]
    assert [line for each in pages for line in each] == whole["entries"]


async def test_timeline_without_a_limit_is_one_page(national: National) -> None:
    pushed = row(status=2)
    await national.push(pushed)
    await national.progress(*(step(pushed["code"], minute) for minute in range(60)))
    found = await page(national, pushed["code"])
    assert len(found["entries"]) == 50
    assert found["next"]


@pytest.mark.parametrize("cursor", ["x", "W10", "WyJ4IiwieSJd"])
async def test_cursor_of_another_list_is_refused(national: National, cursor: str) -> None:
    pushed = row()
    await national.push(pushed)
    path = f"/sync/v1/dossiers/{pushed['code']}/timeline"
    response = await national.call(TIMELINE, path=path, params={"after": cursor})
    assert (response.status_code, response.json()["type"]) == (400, "/problems/cursor-unreadable")


async def test_changes_of_one_dossier_are_bounded_and_its_end_is_taken(national: National) -> None:
    pushed = row(status=2)
    code = pushed["code"]
    await national.push(pushed)
    rows = [step(code, minute) for minute in range(MAX_CHANGES + 10)]
    results = await national.push(*rows, to=PROGRESS)
    outcomes = [each["outcome"] for each in results]
    assert outcomes == ["updated"] * (MAX_CHANGES - 1) + ["refused"] * 11
    refused = results[-1]
    assert refused["reason"] == "too_many_changes"
    assert "send a row only where something changed" in refused["detail"]
    assert await national.progress(rows[0]) == ["duplicate"]
    changed = pushed | {"source_time": "2026-11-10T08:00:00+07:00", "status": 4}
    assert await national.outcomes(changed) == ["refused"]
    assert await national.outcomes(changed | {"status": 9}) == ["updated"]
    ends = [step(code, 20_000 + minute, 10) for minute in range(ENDS_BEYOND_BOUND)]
    assert await national.progress(*ends) == ["updated"] * (ENDS_BEYOND_BOUND - 1) + ["refused"]
    assert (await national.read(code))["status"] == 10


async def test_held_changes_of_one_dossier_are_bounded(national: National) -> None:
    code = new_code()
    rows = [step(code, minute) for minute in range(MAX_CHANGES + 3)]
    assert await national.progress(*rows) == ["held"] * MAX_CHANGES + ["refused"] * 3
    # A repeat is harmless, also at the bound.
    assert await national.progress(*rows[:5]) == ["held"] * 5
    assert await national.outcomes(row(code=code, status=2)) == ["accepted"]
    assert (await national.read(code))["version"] == MAX_CHANGES + 1


async def test_held_rows_of_one_client_are_bounded(
    empty: National, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_rules, "MAX_HELD_ROWS", 5)
    codes = [new_code() for _ in range(7)]
    results = await empty.push(*(step(code, 1) for code in codes), to=PROGRESS)
    assert [each["outcome"] for each in results] == ["held"] * 5 + ["refused"] * 2
    assert results[-1]["reason"] == "too_many_held"
    assert "push the dossiers" in results[-1]["detail"]
    assert await empty.scalar("SELECT count(*) FROM held_progress") == 5
    assert await empty.progress(step(new_code(), 1), by="external-other") == ["held"]
    await empty.push(row(code=codes[0], status=2))
    assert await empty.progress(step(codes[5], 1)) == ["held"]
