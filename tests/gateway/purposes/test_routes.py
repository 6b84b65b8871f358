from http import HTTPStatus

from tests.gateway.purposes.catalogues import (
    BASES,
)
from tests.support.gateway_harness import (
    Gate,
)


async def test_everybody_can_list_the_legal_bases(gate: Gate) -> None:
    answer = await gate.http.get("/.well-known/legal-bases.json")
    assert answer.status_code == HTTPStatus.OK
    items = answer.json()["items"]
    assert [item["code"] for item in items] == sorted(BASES)
    told = {"code": "91/2025/QH15", "valid_from": "2026-01-01", "valid_to": None}
    [law] = [item for item in items if item["code"] == "91/2025/QH15"]
    assert told.items() <= law.items()
    assert all(item["vi"] and item["en"] and item["document"] for item in items)
    again = await gate.http.get(
        "/.well-known/legal-bases.json", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == HTTPStatus.NOT_MODIFIED
