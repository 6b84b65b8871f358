"""The catalogue of a running mesh is the list of purposes that its gateway takes."""

import httpx
import pytest

from tests.support.mesh import Mesh
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LIST = "/dossier/v1/dossiers"
UNKNOWN = "/problems/purpose-unknown"


async def test_each_published_procedure_is_a_purpose_and_nothing_else_is(mesh: Mesh) -> None:
    headers = mesh.sign_in("operator-vpcp")
    async with httpx.AsyncClient(base_url=mesh.gateway, timeout=30) as http:

        async def is_complete() -> bool:
            reports = (await http.get("/readyz")).json()["reports"]
            return bool(reports["catalogue_complete"] == "ok")

        async def refuses(purpose: str) -> bool:
            told = {**headers, "X-Purpose": purpose}
            sent = [(name.encode(), value.encode()) for name, value in told.items()]
            answer = await http.get(LIST, params={"limit": 1}, headers=sent)
            assert answer.is_success or answer.json()["type"] == UNKNOWN, answer.text
            return not answer.is_success

        await eventually(is_complete)
        page = await http.get("/dossier/v1/procedures", params={"limit": 100}, headers=headers)
        codes = [item["code"] for item in page.json()["items"]]
        assert codes
        assert [code for code in codes if await refuses(code)] == []
        for nonsense in ("đi chơi", "9.999999", "1.0011930"):
            assert await refuses(nonsense), nonsense
