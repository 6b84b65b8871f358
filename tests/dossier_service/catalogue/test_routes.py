from typing import Any
from unicodedata import normalize

import pytest

from tests.dossier_service.desk import BIRTH, PROCEDURES, Desk

ONE = PROCEDURES + "/{code}"


async def found(desk: Desk, **asked: Any) -> list[str]:
    answer = await desk.call(f"GET {PROCEDURES}", params=asked)
    assert answer.status_code == 200, answer.text
    return [row["code"] for row in answer.json()["items"]]


@pytest.mark.parametrize(
    "q",
    [
        "khai sinh",
        "KHAI SINH",
        "dang ky khai sinh",
        "Đăng  ký khai sinh",
        "Ðăng ký khai sinh",  # U+00D0
        normalize("NFD", "Đăng ký khai sinh"),
        "khai\u200b sinh",
        "giấy khai sinh",
        "giay khai sinh",
        "1.001193",
        "1.0011",
    ],
)
async def test_name_is_found_however_it_is_accented(desk: Desk, q: str) -> None:
    assert BIRTH in await found(desk, q=q)


async def test_words_that_no_name_holds_find_nothing(desk: Desk) -> None:
    for q in ("khai sinh voi ca", "%", "_", "'; DROP TABLE procedure", "hai inh", ".*", "9.999999"):
        assert await found(desk, q=q) == []


async def test_catalogue_narrows_by_owner_level_sector_essential(desk: Desk) -> None:
    everything = set(await found(desk, limit=500))
    assert BIRTH in await found(desk, owner="G15")
    assert BIRTH not in await found(desk, owner="G01")
    assert BIRTH in await found(desk, level="commune", sector="Hộ tịch", essential="true")
    assert BIRTH not in await found(desk, level="ministry")
    assert set(await found(desk, owner="G15")) < everything


@pytest.mark.parametrize("sector", ["hộ tịch", normalize("NFD", "Hộ tịch"), " Hộ\u00a0 tịch "])
async def test_sector_is_found_in_any_spelling(desk: Desk, sector: str) -> None:
    assert await found(desk, sector=sector) == await found(desk, sector="Hộ tịch") != []
    assert await found(desk, sector="Ho tich") == []


async def test_catalogue_is_paged_by_code(desk: Desk) -> None:
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 7}
    while True:
        page = (await desk.call(f"GET {PROCEDURES}", params=params)).json()
        seen += [row["code"] for row in page["items"]]
        if page["next"] is None:
            break
        params["after"] = page["next"]
    assert seen == sorted(set(seen))
    assert len(seen) == len(await found(desk, limit=500))


async def test_procedure_is_read_with_all_that_was_published(desk: Desk) -> None:
    answer = await desk.call(f"GET {ONE}", f"{PROCEDURES}/{BIRTH}")
    shown = answer.json()
    assert (shown["code"], shown["version"]) == (BIRTH, 1)
    assert shown["procedure"]["fees"][0]["code"] == "LP-KSQH"
    again = await desk.call(f"GET {ONE}", f"{PROCEDURES}/{BIRTH}", params={"version": 1})
    assert again.json() == shown


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("1.999999", 404),
        (f"{BIRTH}?version=2", 404),
        (f"{BIRTH}?version=0", 422),
        (f"{BIRTH}?version=99999999999", 422),
        ("khai-sinh", 422),
    ],
)
async def test_procedure_that_is_not_there(desk: Desk, path: str, status: int) -> None:
    answer = await desk.call(f"GET {ONE}", f"{PROCEDURES}/{path}")
    assert answer.status_code == status


async def test_words_with_a_nul_are_refused(desk: Desk) -> None:
    answer = await desk.call(f"GET {PROCEDURES}", f"{PROCEDURES}?q=%00")
    assert answer.status_code == 422
