"""The national view shows and counts what a right covers."""

from collections.abc import Mapping, Sequence

from httpx import Response
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from tests.access.answers import told
from tests.access.model import (
    AGENCIES,
    PROCEDURES,
    Filed,
    Limits,
    agencies,
    filed,
    limits,
    procedures,
    tried,
)
from tests.sync_service import national
from tests.sync_service.national import DOSSIERS, National, new_code

ALL = Limits()
UNKNOWN = "H99-261102-0001"
FILTERS: Sequence[Mapping[str, object]] = (
    *({"agency": code} for code in AGENCIES),
    *({"procedure": code} for code in PROCEDURES),
    {"level": "commune"},
    {"status": 2},
    {"status": 10},
    {"channel": 2},
    {"channel": 3},
    {"overdue": True},
    {"overdue": False},
    {"received_from": "2026-11-02"},
    {"received_to": "2026-11-01"},
    {"agency": "H26", "procedure": "1.001193", "status": 2, "overdue": True},
)
INDICATOR = "GET /sync/v1/indicators/{indicator}"


async def clear(view: National) -> None:
    """As if nothing had ever been told of any dossier."""
    emptied = "national_dossier, dossier_event, national_party, national_party_pending, tally"
    async with view.sessions.begin() as session:
        await session.execute(text(f"TRUNCATE {emptied}, held_progress"))


async def tell(view: National, dossiers: Sequence[Filed]) -> dict[str, Filed]:
    """By our own dossier service; every third has a place of its own in each filter."""
    codes = {new_code(each.received_by): each for each in dossiers}
    parties = [{**vars(each), "channel": 1 + place % 3} for place, each in enumerate(dossiers)]
    await view.project(
        *(national.filed(code, **about) for code, about in zip(codes, parties, strict=True))
    )
    return codes


async def look(view: National, right: Limits, code: str) -> dict[str, Response]:
    """In each way that names a dossier."""
    one = f"{DOSSIERS}/{{code}}"
    return {
        "read": await view.get(code, right=right.claims),
        "timeline": await view.call(
            f"GET {one}/timeline", path=f"{DOSSIERS}/{code}/timeline", right=right.claims
        ),
    }


async def read_pages(view: National, right: Limits, limit: int, **asked: object) -> list[str]:
    codes: list[str] = []
    while True:
        answer = await view.listed(right.claims, limit=limit, **asked)
        assert answer.status_code == 200, answer.text
        codes += [item["code"] for item in answer.json()["items"]]
        if (following := answer.json()["next"]) is None:
            return codes
        asked["after"] = following


@tried(15)
@given(st.lists(filed, min_size=1, max_size=3), limits)
async def test_dossier_outside_the_right_is_not_in_the_view(
    view: National, dossiers: Sequence[Filed], right: Limits
) -> None:
    await clear(view)
    codes = await tell(view, dossiers)
    seen = {code for code, dossier in codes.items() if right.sees(dossier)}
    unknown = {
        name: told(each, UNKNOWN) for name, each in (await look(view, right, UNKNOWN)).items()
    }
    for code in codes:
        answers = await look(view, right, code)
        expected = 200 if code in seen else 404
        assert {each.status_code for each in answers.values()} == {expected}
        if code not in seen:
            assert {name: told(each, code) for name, each in answers.items()} == unknown
    assert sorted(await read_pages(view, right, limit=1)) == sorted(seen)


@tried(12)
@given(st.lists(filed, min_size=2, max_size=5), limits)
async def test_no_filter_and_no_cursor_of_another_widens_the_view(
    view: National, dossiers: Sequence[Filed], right: Limits
) -> None:
    """What a filter finds for a right is what it finds for everybody, less what is outside."""
    await clear(view)
    codes = await tell(view, dossiers)
    seen = {code for code, dossier in codes.items() if right.sees(dossier)}
    for asked in FILTERS:
        every = await read_pages(view, ALL, 50, **asked)
        assert sorted(await read_pages(view, right, 50, **asked)) == sorted(seen & set(every)), (
            asked
        )
    first = (await view.listed(limit=1)).json()
    rest = set(codes) - {item["code"] for item in first["items"]}
    assert set(await read_pages(view, right, 1, after=first["next"])) == seen & rest


@tried(25)
@given(st.lists(filed, max_size=4), limits, st.none() | agencies, st.none() | procedures)
async def test_figures_count_the_right_alone(
    view: National,
    dossiers: Sequence[Filed],
    right: Limits,
    agency_asked: str | None,
    procedure_asked: str | None,
) -> None:
    await clear(view)
    await tell(view, dossiers)
    asked = {"period": "2026-11", "agency": agency_asked, "procedure": procedure_asked}
    answer = await count(view, right, asked)
    if (problem := refusal(right, agency_asked, procedure_asked)) is not None:
        assert (answer.json()["type"], answer.is_error) == (f"/problems/{problem}", True)
        return
    figure = answer.json()
    within = Limits(frozenset({figure["agency"]["code"]} - {"VN"}) or None)
    fitting = [
        each
        for each in dossiers
        if within.reaches(each.received_by)
        and national_of(each.procedure) == national_of(procedure_asked or each.procedure)
        and right.allows(national_of(each.procedure))
    ]
    assert figure["numerator"] == len(fitting)
    assert agency_asked or figure["agency"]["code"] in tops(right)
    for group in ("agency", "procedure", "channel"):
        grouped = (await count(view, right, asked | {"group_by": group})).json()
        groups = grouped["groups"]["items"]
        assert sum(each["numerator"] for each in groups) <= len(fitting)
        keys = {each["key"] for each in groups}
        assert group != "agency" or all(map(right.reaches, keys))
        assert group != "procedure" or all(map(right.allows, keys))


async def count(view: National, right: Limits, asked: Mapping[str, object]) -> Response:
    named = {name: value for name, value in asked.items() if value is not None}
    return await view.indicator("received_by_channel", right.claims, **named)


def national_of(procedure: str) -> str:
    return procedure[:8]


def tops(right: Limits) -> list[str]:
    """The agencies of a right that stand below no other of them."""
    if right.agencies is None:
        return ["VN"]
    return [one for one in right.agencies if not Limits(right.agencies - {one}).reaches(one)]


def refusal(right: Limits, agency_asked: str | None, procedure_asked: str | None) -> str | None:
    """Why there is no figure; a part of a national procedure is never shown as the whole."""
    if agency_asked and not right.reaches(agency_asked):
        return "agency-not-found"
    if not agency_asked and len(tops(right)) != 1:
        return "agency-missing"
    named = right.procedures or frozenset()
    if procedure_asked is None:
        return "right-too-narrow" if any(national_of(code) != code for code in named) else None
    whole = national_of(procedure_asked)
    if right.allows(whole):
        return None
    return "right-too-narrow" if whole in map(national_of, named) else "procedure-not-found"


@tried(15)
@given(st.lists(filed, max_size=2), filed, limits)
async def test_what_is_told_outside_the_right_changes_nothing_in_it(
    view: National, dossiers: Sequence[Filed], added: Filed, right: Limits
) -> None:
    await clear(view)
    codes = await tell(view, dossiers)
    before = await everything(view, right, codes)
    await tell(view, [added])
    assert before == await everything(view, right, codes) or right.sees(added)


async def everything(view: National, right: Limits, codes: Mapping[str, Filed]) -> list[object]:
    """All that a right shows, but for how many changes were counted in all."""
    answers = [each for code in codes for each in (await look(view, right, code)).values()]
    lists = ({"limit": 1}, {"limit": 50}, {"agency": "H26"}, {"overdue": True})
    answers += [await view.listed(right.claims, **asked) for asked in lists]
    figures = []
    for code in (None, *AGENCIES):
        figure = (await count(view, right, {"period": "2026-11", "agency": code})).json()
        figures.append({name: figure[name] for name in figure if name not in {"as_of", "trace_id"}})
    return [*(told(each, None) for each in answers), *figures]
