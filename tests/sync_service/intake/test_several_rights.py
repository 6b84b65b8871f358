"""A caller with several rights pushes and reads what one of them allows, and no more."""

from typing import Any

from tests.sync_service.national import DOSSIERS, National, row

CAO_BANG = {"procedures": ["1.001193"], "fields": None, "agencies": ["H14"]}
QUANG_TRI = {"procedures": ["2.000815"], "fields": None, "agencies": ["H40"]}
EITHER: list[dict[str, Any]] = [
    {**CAO_BANG, "others": [QUANG_TRI]},
    {**QUANG_TRI, "others": [CAO_BANG]},
]
ONE = f"GET {DOSSIERS}/{{code}}"


def rows_of_all() -> list[dict[str, Any]]:
    return [
        row(procedure=procedure, received_by=agency)
        for procedure in ("1.001193", "2.000815")
        for agency in ("H14.1", "H40.1")
    ]


async def test_row_is_taken_where_one_right_covers_it(national: National) -> None:
    for right in EITHER:
        results = await national.push(*rows_of_all(), right=right)
        assert [result["outcome"] for result in results] == [
            "accepted",
            "refused",
            "refused",
            "accepted",
        ]


async def test_dossiers_are_shown_that_one_right_reaches(national: National) -> None:
    rows = rows_of_all()
    await national.push(*rows, right={})
    pushed = [each["code"] for each in rows]
    for right in EITHER:
        answers = [
            await national.call(ONE, path=f"{DOSSIERS}/{code}", right=right) for code in pushed
        ]
        assert [answer.status_code for answer in answers] == [200, 404, 404, 200]
        listed = await national.call(f"GET {DOSSIERS}", params={"limit": 500}, right=right)
        codes = [each["code"] for each in listed.json()["items"]]
        assert [code for code in pushed if code in codes] == [pushed[0], pushed[3]]
        assert len(codes) == len(set(codes))


async def test_figures_are_those_of_the_right_that_covers_what_is_named(national: National) -> None:
    operation = "GET /sync/v1/indicators/{indicator}"
    for right in EITHER:
        for agency, procedure, status in (
            ("H14", "1.001193", 200),
            ("H40", "2.000815", 200),
            ("H40", "1.001193", 404),
        ):
            answer = await national.call(
                operation,
                path="/sync/v1/indicators/on_time",
                params={"agency": agency, "procedure": procedure, "period": "2026-11"},
                right=right,
            )
            assert answer.status_code == status, answer.text
