"""The national view as clients see it: one dossier, its timeline, lists within their rights."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.web.pagination import PageParameters
from sync_service.national_view.filters import NationalDossierFilter
from tests.sync_service.national import (
    National,
    agency,
    filed,
    new_code,
    register,
    row,
)


def received(day: int, agency: str = "H41.101", **over: object) -> dict[str, object]:
    """Received at 8 o'clock of that day of October, due on the last of the month."""
    at = f"2026-10-{day:02}T08:00:00+07:00"
    due = "2026-10-31T17:00:00+07:00"
    told = {"source_time": at, "filed_at": at, "received_at": at, "due_at": due}
    return row(**({"received_by": agency} | told | over))


async def test_cursor_is_good_for_its_own_filters_alone(national: National) -> None:
    await national.push(*(received(day, "H41.777") for day in (1, 2)))
    after = (await national.listed(agency="H41.777", limit=1)).json()["next"]
    assert (await national.listed(agency="H41.777", after=after)).status_code == 200
    for other in ({}, {"agency": "H41"}, {"agency": "H41.777", "status": 4}):
        refused = await national.listed(**other, after=after)
        assert (refused.status_code, refused.json()["type"]) == (400, "/problems/cursor-unreadable")


@pytest.mark.parametrize(
    ("agencies", "sees"),
    [
        (["H26"], True),  # helped there
        (["H29.101"], True),  # received there
        (["G15"], True),  # decided below it
        (["H20", "H29.10", "G15.02.01"], False),
        (["H41", "000.00.00.G15"], True),
        ([], False),
        (None, True),
    ],
)
async def test_right_decides_which_dossiers_exist(
    national: National, agencies: list[str] | None, sees: bool
) -> None:
    code = new_code("H29.101")
    parties = {"helped_by": "H26.7", "received_by": "H29.101", "decided_by": "G15.02"}
    await national.project(filed(code, procedure="2.000908", **parties))
    right = {"agencies": agencies}
    assert (await national.get(code, right=right)).status_code == (200 if sees else 404)
    path = f"/sync/v1/dossiers/{code}/timeline"
    timeline = await national.call("GET /sync/v1/dossiers/{code}/timeline", path=path, right=right)
    assert timeline.status_code == (200 if sees else 404)
    assert (code in await national.codes(right, procedure="2.000908", limit=500)) is sees


async def test_right_limited_to_procedures_hides_the_others(national: National) -> None:
    local, other = new_code("H37.1"), new_code("H37.1")
    at = {"received_by": "H37.1", "decided_by": "H37.1"}
    await national.project(filed(local, procedure="1.000656.H37", **at))
    await national.project(filed(other, procedure="2.000815", **at))
    right = {"agencies": ["H37"], "procedures": ["1.000656"]}
    assert await national.codes(right) == [local]
    assert (await national.get(other, right=right)).status_code == 404


async def test_list_follows_the_day_of_reception_page_by_page(empty: National) -> None:
    rows = [received(day) for day in (3, 1, 5, 2, 4)]
    await empty.push(*rows)
    newest_first = [rows[place]["code"] for place in (2, 4, 0, 3, 1)]
    # Two roots that overlap with the dossiers: each is still shown once.
    right = {"agencies": ["H41.101", "G01", "H41"]}
    seen: list[list[str]] = []
    after = None
    while after or not seen:
        page = (await empty.listed(right, limit=2, **({"after": after} if after else {}))).json()
        seen.append([item["code"] for item in page["items"]])
        after = page["next"]
    assert seen == [newest_first[0:2], newest_first[2:4], newest_first[4:]]


async def test_dossier_under_two_roots_is_shown_once(empty: National) -> None:
    both = received(1, "H41.101", decided_by="G15.02")
    await empty.push(both)
    assert await empty.codes({"agencies": ["H41", "G15"]}) == [both["code"]]


async def test_filters_narrow_the_list(empty: National) -> None:
    commune, ministry = received(1, "H41.101"), received(2, "G15.02")
    online = received(3, "H41.102", channel=2, procedure="1.000656.H41", status=5)
    ended = received(4, "H41.101", status=9, due_at=None)
    late = received(5, "H41.103", due_at="2026-11-21T17:00:00+07:00")
    due_today = received(6, "H41.103", due_at="2026-11-22T08:00:00+07:00")
    old_form = received(7, "H41.104", decided_by="000.00.02.G15", due_at=None)
    names = {
        "old_form": old_form, "commune": commune, "ministry": ministry, "online": online,
        "ended": ended, "late": late, "due_today": due_today,
    }  # fmt: skip
    await empty.push(*names.values(), right={"agencies": None})
    await register(empty, agency("G15.02", "Cục", "central"))
    code_of = {each["code"]: name for name, each in names.items()}

    async def found(**filters: Any) -> set[str]:
        return {code_of[code] for code in await empty.codes(**filters)}

    everything = set(names)
    assert await found() == everything
    assert await found(agency="H41") == everything - {"ministry"}
    assert await found(agency="H41.103") == {"late", "due_today"}
    assert await found(agency="000.00.02.G15") == {"ministry", "old_form"}
    assert await found(level="central") == {"ministry", "old_form"}
    assert await found(procedure="1.000656") == {"online"}
    assert await found(procedure="1.000656.H41") == {"online"}
    assert await found(procedure="1.000656.H26") == set()
    assert await found(status=5) == {"online"}
    assert await found(channel=2) == {"online"}
    assert await found(received_from="2026-10-02", received_to="2026-10-04") == {
        "ministry", "online", "ended",
    }  # fmt: skip
    # Due on 31 October or 21 November; today, 22 November, is not yet late. The online one waits
    # for papers that were requested in time.
    assert await found(overdue=True) == {"commune", "ministry", "late"}
    assert await found(overdue=False) == {"ended", "due_today", "old_form", "online"}
    assert await found(agency="H41", overdue=True, channel=1) == {"commune", "late"}


async def test_agency_filter_stays_within_the_right(empty: National) -> None:
    mine, shared_one = received(1, "H41.101"), received(2, "H41.101", decided_by="G15")
    others = received(3, "G15.02")
    await empty.push(mine, shared_one, others, right={"agencies": None})
    right = {"agencies": ["H41"]}
    assert await empty.codes(right, agency="G15") == [shared_one["code"]]
    assert await empty.codes(right, agency="H41.101") == [shared_one["code"], mine["code"]]


async def test_moved_to_another_agency_is_seen_there_and_no_longer_here(empty: National) -> None:
    pushed = received(1, "H41.101")
    await empty.push(pushed)
    changed = pushed | {"source_time": "2026-10-02T08:00:00+07:00", "decided_by": "H41.102"}
    await empty.push(changed | {"received_by": "H41.102"})
    assert await empty.codes({"agencies": ["H41.101"]}) == []
    assert await empty.codes({"agencies": ["H41.102"]}) == [pushed["code"]]


@pytest.mark.parametrize(
    "filters",
    [
        {"status": 11},
        {"status": "open"},
        {"channel": 0},
        {"agency": "Hà Nội"},
        {"procedure": "x"},
        {"received_from": "yesterday"},
        {"received_from": "0001-01-01"},
        {"received_to": "9999-12-31"},
        {"level": "x" * 30},
        {"overdue": "perhaps"},
        {"limit": 501},
        {"colour": "red"},
    ],
    ids=str,
)
async def test_bad_filter_is_unprocessable(national: National, filters: dict[str, Any]) -> None:
    response = await national.listed(**filters)
    assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-request")


@pytest.mark.parametrize("cursor", ["x", "W10", "WyJ4IiwieSJd", "WzEsMl0", "bnVsbA"])
async def test_forged_cursor_is_a_bad_request(national: National, cursor: str) -> None:
    response = await national.listed(after=cursor)
    assert (response.status_code, response.json()["type"]) == (400, "/problems/cursor-unreadable")


async def test_unknown_and_malformed_codes(national: National) -> None:
    assert (await national.get("H41.101-261102-99999")).status_code == 404
    assert (await national.get("079203001234")).status_code == 422


async def test_newer_dossiers_come_first_whatever_the_order_of_pushing(empty: National) -> None:
    filed_at = "2026-11-10T08:00:00+07:00"
    waiting = row(status=1, received_at=None, filed_at=filed_at, source_time=filed_at)
    earlier = received(9)
    await empty.push(waiting, earlier)
    assert await empty.codes() == [waiting["code"], earlier["code"]]
    taken = waiting | {"status": 2, "source_time": "2026-11-12T08:00:00+07:00", "due_at": None}
    await empty.push(taken | {"received_at": "2026-11-12T08:00:00+07:00"})
    assert await empty.codes(received_from="2026-11-12") == [waiting["code"]]
    assert await empty.scalar("SELECT count(DISTINCT opened_at) FROM national_party") == 2


async def test_version_is_counted_per_dossier(national: National) -> None:
    pushed = row(status=2)
    for hour in range(3):
        at = datetime(2026, 11, 3, tzinfo=UTC) + timedelta(hours=hour)
        await national.push(pushed | {"source_time": at.isoformat()})
    assert (await national.read(pushed["code"]))["version"] == 3


LONGEST = 3_000
MANY = {
    "agencies": [f"H{province:02}.{101 + desk}" for province in range(20, 40) for desk in range(10)]
}
FILTERS: list[dict[str, Any]] = [
    {},
    *({"status": status} for status in range(1, 11)),
    *({"channel": channel} for channel in (1, 2, 3)),
    {"procedure": "1.001193"},
    {"procedure": "1.001193.000.00.00.H41"},
    {"level": "commune"},
    {"overdue": True},
    {"overdue": False},
    {"received_from": "2026-10-01", "received_to": "2026-10-31"},
    {"agency": "H41"},
    {"agency": "H26.101"},
    {"status": 5, "channel": 3, "procedure": "1.009999", "overdue": True, "level": "ministry"},
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
async def test_list_of_two_hundred_agencies_takes_two_statements_whatever_is_asked(
    national: National, filters: dict[str, Any]
) -> None:
    for _ in range(2):
        await national.push(row(received_by="H26.101"), right={"agencies": ["H26"]})
    keyset = NationalDossierFilter.model_validate(filters).read_keyset(PageParameters())
    behind_all = keyset.write(("2199-01-01T00:00:00Z", new_code()))
    with national.asking() as seen:
        await national.codes(MANY, **filters)
    with national.asking() as seen_deep:
        await national.codes(MANY, **filters, after=behind_all, limit=1)
    assert 0 < len(seen) <= 2
    assert 0 < len(seen_deep) <= 2
    # A part for each agency would cost more to plan than to run.
    assert all(len(statement) < LONGEST for statement in seen)


async def test_restricted_look_up_takes_two_statements(national: National) -> None:
    pushed = row(received_by="H26.101")
    await national.push(pushed, right={"agencies": ["H26"]})
    with national.asking() as seen:
        await national.read(pushed["code"], right=MANY)
    assert len(seen) == 2
