"""A dossier is filed, read and handled for its own procedure, as the proved purpose says."""

from typing import Any

import pytest
from httpx import Response

from tests.dossier_service.desk import (
    BIRTH,
    BIRTH_FEE,
    COPY,
    DEATH,
    DOSSIERS,
    NUMBER,
    ONE,
    Desk,
    payment,
    result,
    wish,
)

ANOTHER = "/problems/purpose-of-another-procedure"
LEGAL_BASIS = "91/2025/QH15"
OTHERS = (DEATH, f"{DEATH}.H26", "1.001194")
CHANGES: dict[str, dict[str, Any]] = {
    "transitions": {"to": 4},
    "progress": {"step": "desk-1"},
    "payments": payment(),
    "results": result(),
}


async def file(desk: Desk, way: str) -> dict[str, Any]:
    """File a dossier that can be changed so: an open fee holds back its processing."""
    return await desk.file(fees=[BIRTH_FEE] if way == "payments" else [])


async def ask(desk: Desk, way: str, dossier: dict[str, Any], purpose: str) -> Response:
    """Read the dossier, its history, or change it, for the purpose."""
    if way == "read":
        return await desk.read(dossier["code"], purpose=purpose)
    if way == "history":
        path = f"{DOSSIERS}/{dossier['code']}/history"
        return await desk.call(f"GET {ONE}/history", path, purpose=purpose)
    return await desk.try_change(dossier, way, CHANGES[way], purpose=purpose)


@pytest.mark.parametrize("purpose", [*OTHERS, LEGAL_BASIS])
async def test_dossier_is_filed_for_no_other_purpose_than_its_procedure(
    desk: Desk, purpose: str
) -> None:
    before = await desk.rows("SELECT count(*) FROM dossier")
    refused = await desk.try_file(wish(), purpose=purpose)
    assert (refused.status_code, refused.json()["type"]) == (403, ANOTHER)
    assert refused.json()["procedure"] == BIRTH
    assert purpose not in refused.text
    assert await desk.rows("SELECT count(*) FROM dossier") == before


@pytest.mark.parametrize("purpose", [BIRTH, f"{BIRTH}.H26", f"{BIRTH}.H29"])
async def test_localised_form_of_the_procedure_is_its_purpose_too(desk: Desk, purpose: str) -> None:
    filed = await desk.try_file(wish(), purpose=purpose)
    assert filed.status_code == 201, filed.text
    assert (await desk.read(filed.json()["code"], purpose=purpose)).status_code == 200


@pytest.mark.parametrize("way", ["read", "history", *CHANGES])
async def test_dossier_is_touched_for_no_other_procedure(desk: Desk, way: str) -> None:
    dossier = await file(desk, way)
    for purpose in (*OTHERS, COPY):
        refused = await ask(desk, way, dossier, purpose)
        assert (refused.status_code, refused.json()["type"]) == (403, ANOTHER)
        assert refused.json()["procedure"] == BIRTH
    unchanged = await desk.read(dossier["code"])
    assert unchanged.json()["version"] == 1
    assert (await ask(desk, way, dossier, f"{BIRTH}.H26")).is_success


@pytest.mark.parametrize("way", ["read", "history", *CHANGES])
async def test_dossier_is_touched_for_a_legal_basis(desk: Desk, way: str) -> None:
    assert (await ask(desk, way, await file(desk, way), LEGAL_BASIS)).is_success


async def test_refusal_names_the_person_for_the_ledger_alone(desk: Desk) -> None:
    dossier = await desk.file()
    refused = await desk.read(dossier["code"], purpose=DEATH)
    read = await desk.read(dossier["code"])
    assert refused.headers["X-Subject"] == read.headers["X-Subject"]
    assert NUMBER not in refused.text


async def test_purpose_does_not_show_that_a_dossier_outside_the_right_exists(desk: Desk) -> None:
    dossier = await desk.file()
    elsewhere = {"agencies": ["H29"]}
    for purpose in (BIRTH, DEATH):
        hidden = await desk.read(dossier["code"], purpose=purpose, right=elsewhere)
        assert (hidden.status_code, hidden.json()["type"]) == (404, "/problems/dossier-not-found")
