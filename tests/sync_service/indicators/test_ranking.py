"""Groups of an indicator in their order: ranks, ties, pages."""

from datetime import date
from typing import Any

import pytest

from shared.web.pagination import PageParameters
from sync_service.indicators.counters import ALL_PROCEDURES, AgencyRole, Grain
from sync_service.indicators.models import CounterCell
from sync_service.indicators.schemas import IndicatorFilter
from sync_service.national_view.handling import Handling
from tests.sync_service.indicators.november import dossier, pushed
from tests.sync_service.national import National, agency, register

COMMUNES: dict[str, Any] = {"period": "2026-11", "group_by": "agency", "level": "commune"}
RANKING = IndicatorFilter(**COMMUNES).read_keyset(PageParameters(), "on_time")
IN_TIME, LATE = "11-05T10:00", "11-10T08:00"


async def handled(national: National, where: str, *ends: str) -> None:
    """One dossier for each end, due on the 9th, received and decided there."""
    told = {"received_by": where, "decided_by": where}
    await pushed(national, *(dossier("11-02", "11-09T17:00", end, **told) for end in ends))


async def five_communes(national: National) -> None:
    names = ["H26.101", "H41.101", "H41.102", "H41.103", "H41.104"]
    await register(national, *(agency(code, f"Xã {code}", "commune") for code in names))
    await handled(national, "H41.103", IN_TIME, IN_TIME)
    await handled(national, "H26.101", IN_TIME)
    await handled(national, "H41.101", IN_TIME, LATE)
    await handled(national, "H41.102", LATE)


async def groups(national: National, **asked: Any) -> dict[str, Any]:
    found = await national.figure("on_time", **(COMMUNES | asked))
    page: dict[str, Any] = found["groups"]
    return page


async def pages(national: National, **asked: Any) -> list[dict[str, Any]]:
    """Whole answers, from the first page to the last."""
    found = [await national.figure("on_time", **(COMMUNES | asked))]
    while (following := found[-1]["groups"]["next"]) is not None:
        asked["after"] = following
        found.append(await national.figure("on_time", **(COMMUNES | asked)))
    return found


def shown(page: dict[str, Any]) -> list[tuple[int | None, str, float | None]]:
    return [(each["rank"], each["key"], each["value"]) for each in page["items"]]


async def test_equal_values_share_a_rank_and_who_has_none_stands_last(empty: National) -> None:
    await five_communes(empty)
    page = await groups(empty)
    assert shown(page) == [
        (1, "H26.101", 100.0),
        (1, "H41.103", 100.0),
        (3, "H41.101", 50.0),
        (4, "H41.102", 0.0),
        (None, "H41.104", None),
    ]
    assert (page["total"], page["next"]) == (5, None)
    assert page["items"][0]["name"] == "Xã H26.101"


@pytest.mark.parametrize("limit", [1, 2, 4, 5])
async def test_pages_together_are_the_whole_ranking(empty: National, limit: int) -> None:
    await five_communes(empty)
    whole = await empty.figure("on_time", **COMMUNES)
    found = await pages(empty, limit=limit)
    assert len(found) == -(-5 // limit)
    together = [item for page in found for item in page["groups"]["items"]]
    assert together == whole["groups"]["items"]
    # What is not of the page itself stands on each of them alike.
    rest = {**whole, "groups": None}
    assert all({**page, "groups": None} == rest for page in found)
    assert {page["groups"]["total"] for page in found} == {5}


async def test_page_behind_the_end_still_shows_the_whole(empty: National) -> None:
    await five_communes(empty)
    whole = await empty.figure("on_time", **COMMUNES)
    behind = await empty.figure("on_time", **COMMUNES, after=RANKING.write(("1", "Z")))
    assert behind == {**whole, "groups": {"items": [], "next": None, "total": 5}}


async def test_what_moves_between_pages_neither_hides_nor_repeats_who_stayed(
    empty: National,
) -> None:
    await five_communes(empty)
    first = await groups(empty, limit=2)
    assert [key for _, key, _ in shown(first)] == ["H26.101", "H41.103"]
    await handled(empty, "H26.101", LATE, LATE, LATE)  # 25 %: from the first page to the second
    second = await groups(empty, limit=2, after=first["next"])
    assert shown(second) == [(2, "H41.101", 50.0), (3, "H26.101", 25.0)]


async def test_procedures_and_channels_are_ranked_and_paged_too(empty: National) -> None:
    for count, procedure in enumerate(("1.000656", "1.001193", "2.000815"), 1):
        told: dict[str, Any] = {"procedure": procedure, "channel": count}
        await pushed(empty, *(dossier("11-02", "11-09T17:00", **told) for _ in range(count)))

    async def order(group_by: str) -> list[list[tuple[int, str, int]]]:
        asked: dict[str, Any] = {"period": "2026-11", "group_by": group_by, "limit": 2}
        found: list[list[tuple[int, str, int]]] = []
        while not found or asked["after"]:
            page = (await empty.figure("received_by_channel", **asked))["groups"]
            found.append([(each["rank"], each["key"], each["value"]) for each in page["items"]])
            asked["after"] = page["next"]
        return found

    assert await order("procedure") == [
        [(1, "2.000815", 3), (2, "1.001193", 2)],
        [(3, "1.000656", 1)],
    ]
    assert await order("channel") == [[(1, "post", 3), (2, "online", 2)], [(3, "desk", 1)]]


async def test_ranking_within_a_province_ranks_its_own_communes_alone(empty: National) -> None:
    await five_communes(empty)
    below = await groups(empty, agency="H41")
    assert [rank for rank, _, _ in shown(below)] == [1, 2, 3, None]
    assert below["total"] == 4


async def test_cursor_that_no_ranking_gave_is_refused(national: National) -> None:
    of_dossiers = (await national.listed(limit=1)).json()["next"] or "WyJhIiwiYiJd"
    too_long = RANKING.write(("1e99999", "H26"))
    for cursor in ("garbage", of_dossiers, too_long, RANKING.write(("0", "\0"))):
        answer = await national.indicator("on_time", **COMMUNES, after=cursor)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/cursor-unreadable")


@pytest.mark.parametrize(
    "other",
    [{"period": "2026-10"}, {"group_by": "channel", "level": None}, {"agency": "H41"}],
    ids=str,
)
async def test_cursor_of_another_ranking_is_refused(
    national: National, other: dict[str, Any]
) -> None:
    asked = {name: each for name, each in (COMMUNES | other).items() if each}
    cursor = RANKING.write(("0", "H26"))
    assert (await national.indicator("on_time", **COMMUNES, after=cursor)).status_code == 200
    for indicator, question in (("on_time", asked), ("received_by_channel", COMMUNES)):
        answer = await national.indicator(indicator, **question, after=cursor)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/cursor-unreadable")


async def test_limit_of_groups_leaves_a_figure_without_groups_as_it_is(national: National) -> None:
    whole = await national.indicator("on_time", period="2026-11")
    limited = await national.indicator("on_time", period="2026-11", limit=1)
    assert limited.status_code == 200
    assert limited.json() == whole.json()


async def test_cursor_where_nothing_is_ranked_is_refused(national: National) -> None:
    unranked = IndicatorFilter(period="2026-11").read_keyset(PageParameters(), "on_time")
    for cursor in ("WyIxIiwiWiJd", unranked.write(("0", "H26"))):
        answer = await national.indicator("on_time", period="2026-11", after=cursor)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/cursor-unreadable")


async def test_who_shows_the_same_rounded_rate_shares_a_rank(empty: National) -> None:
    # 2 of 3 are 66.667 and 6,667 of 10,000 are 66.67: both are shown as 66.67
    for code, in_time, late in (("H1", 6_667, 3_333), ("H2", 2, 1), ("H3", 6_668, 3_332)):
        await register(empty, agency(code + "0", code))
        await count_handled(
            empty, code + "0", {Handling.ENDED_IN_TIME: in_time, Handling.ENDED_LATE: late}
        )
    page = await groups(empty, level="province")
    assert shown(page) == [(1, "H30", 66.68), (2, "H10", 66.67), (2, "H20", 66.67)]


async def count_handled(national: National, code: str, counts: dict[Handling, int]) -> None:
    cells = [
        CounterCell(
            agency=code,
            part=AgencyRole.DECIDES,
            grain=Grain.MONTH,
            procedure=ALL_PROCEDURES,
            received_on=date(2026, 11, 1),
            channel=1,
            outcome=outcome,
            count=count,
        )
        for outcome, count in counts.items()
    ]
    async with national.sessions.begin() as session:
        session.add_all(cells)
