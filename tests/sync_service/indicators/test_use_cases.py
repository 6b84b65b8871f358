"""Who may ask for which figures, and which questions are refused."""

from typing import Any

import pytest

from sync_service.handlers import restore_dossiers
from tests.sync_service.indicators.november import hand_made
from tests.sync_service.national import National, row


async def test_right_bounds_the_figures(national: National) -> None:
    mine = {"agencies": ["H41"]}
    inside = await national.indicator("on_time", mine, period="2026-11", agency="H41.101")
    assert inside.status_code == 200
    whole = await national.figure("on_time", right=mine, period="2026-11")
    assert whole["agency"]["code"] == "H41"
    outside = await national.indicator("on_time", mine, period="2026-11", agency="H26")
    assert (outside.status_code, outside.json()["type"]) == (404, "/problems/agency-not-found")
    several = {"agencies": ["H41", "H26"]}
    unnamed = await national.indicator("on_time", several, period="2026-11")
    assert (unnamed.status_code, unnamed.json()["type"]) == (422, "/problems/agency-missing")
    one = {"procedures": ["1.000656"]}
    other = await national.indicator("on_time", one, period="2026-11", procedure="1.001193")
    assert other.json()["type"] == "/problems/procedure-not-found"


async def test_rebuild_that_changes_nothing_leaves_the_time_of_the_last_change(
    empty: National,
) -> None:
    assert await empty.outcomes(row()) == ["accepted"]
    before = await empty.figure("on_time", period="2026-11", agency="H41")
    async with empty.sessions.begin() as session:
        assert len(await restore_dossiers(session, "", 10)) == 1
    again = await empty.figure("on_time", period="2026-11", agency="H41")
    assert again["as_of"] == before["as_of"]


@pytest.mark.parametrize("asked", [None, "1.000656", "1.000656.H41", "1.000656.H26"])
async def test_right_to_a_localised_procedure_is_refused_openly(
    national: National, asked: str | None
) -> None:
    right = {"procedures": ["1.000656.H41", "2.000815"]}
    named = {"procedure": asked} if asked else {}
    response = await national.indicator("on_time", right, period="2026-11", **named)
    assert (response.status_code, response.json()["type"]) == (403, "/problems/right-too-narrow")
    other = await national.indicator("on_time", right, period="2026-11", procedure="2.000815")
    assert other.status_code == 200


async def test_right_limited_to_procedures_counts_only_these(empty: National) -> None:
    await hand_made(empty)
    one = {"procedures": ["1.000656"]}
    assert (await empty.figure("on_time", right=one, period="2026-11"))["denominator"] == 1
    # Counters know the national procedure alone, and the answer names what was counted.
    localised = await empty.figure("on_time", period="2026-11", procedure="1.000656.H26")
    assert (localised["denominator"], localised["procedure"]) == (1, "1.000656")
    grouped = await empty.figure("on_time", right=one, period="2026-11", group_by="procedure")
    assert [each["key"] for each in grouped["groups"]["items"]] == ["1.000656"]


@pytest.mark.parametrize(
    ("asked", "type_"),
    [
        ({"period": "2026-13"}, "/problems/period-unreadable"),
        ({"period": "November"}, "/problems/period-unreadable"),
        ({"period": "0000"}, "/problems/period-unreadable"),
        ({"period": "9999"}, "/problems/period-unreadable"),
        ({"period": "2026-02-30..2026-03-01"}, "/problems/period-unreadable"),
        ({"period": "2026-03-02..2026-03-01"}, "/problems/period-unreadable"),
        ({"period": "2021"}, "/problems/no-rule-in-force"),
        ({"period": "2026", "group_by": "month"}, "/problems/invalid-request"),
        ({}, "/problems/invalid-request"),
        ({"period": "2026", "colour": "red"}, "/problems/invalid-request"),
    ],
    ids=str,
)
async def test_bad_question_is_unprocessable(
    national: National, asked: dict[str, Any], type_: str
) -> None:
    response = await national.indicator("on_time", **asked)
    assert (response.status_code, response.json()["type"]) == (422, type_)


async def test_unknown_indicator_is_not_found(national: National) -> None:
    response = await national.indicator("happiness", period="2026")
    assert (response.status_code, response.json()["type"]) == (
        404,
        "/problems/indicator-not-found",
    )
