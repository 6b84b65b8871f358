"""A caller with several rights does with each dossier what one of them allows, and no more."""

from itertools import count
from typing import Any

from tests.dossier_service.desk import BIRTH, DEATH, DOSSIERS, Desk

_blocks = count(501)


class Ground:
    """Two agencies of its own, and a right to the births of the one and the deaths of the other."""

    def __init__(self) -> None:
        self.births_at, self.deaths_at = f"H26.{next(_blocks)}", f"H26.{next(_blocks)}"
        births = {"procedures": [BIRTH], "fields": ["name"], "agencies": [self.births_at]}
        deaths = {"procedures": [DEATH], "fields": ["birth_date"], "agencies": [self.deaths_at]}
        self.rights: list[dict[str, Any]] = [
            {**births, "others": [deaths]},
            {**deaths, "others": [births]},
        ]
        self.reached = {(BIRTH, self.births_at), (DEATH, self.deaths_at)}

    async def file_all(self, desk: Desk) -> dict[tuple[str, str], dict[str, Any]]:
        return {
            (procedure, agency): await desk.file(
                procedure=procedure, received_by=agency, decided_by=agency
            )
            for procedure in (BIRTH, DEATH)
            for agency in (self.births_at, self.deaths_at)
        }


async def test_dossier_is_read_with_the_fields_of_the_rights_that_reach_it(desk: Desk) -> None:
    ground = Ground()
    filed = await ground.file_all(desk)
    for right in ground.rights:
        shown = {}
        for place, dossier in filed.items():
            answer = await desk.read(dossier["code"], right=right)
            if answer.status_code == 200:
                shown[place] = set(answer.json()["applicant"])
        assert shown == {
            (BIRTH, ground.births_at): {"name"},
            (DEATH, ground.deaths_at): {"birth_date"},
        }


async def test_list_shows_what_each_right_reaches_on_its_pages(desk: Desk) -> None:
    ground = Ground()
    filed = [*(await ground.file_all(desk)).items(), *(await ground.file_all(desk)).items()]
    reached = sorted(dossier["code"] for place, dossier in filed if place in ground.reached)
    for right in ground.rights:
        found: list[str] = []
        asked: dict[str, Any] = {"limit": 1}
        while asked.get("after", "") is not None:
            answer = await desk.call(f"GET {DOSSIERS}", params=asked, right=right)
            [row] = answer.json()["items"]
            found.append(row["code"])
            asked["after"] = answer.json()["next"]
        assert found == reached[::-1]


async def test_dossier_is_changed_by_the_right_that_reaches_it(desk: Desk) -> None:
    ground = Ground()
    for right in ground.rights:
        for place, dossier in (await ground.file_all(desk)).items():
            answer = await desk.try_change(dossier, "progress", {"step": "appraisal"}, right=right)
            assert answer.status_code == (201 if place in ground.reached else 404), answer.text
