"""Agencies and procedures are known as the registry and the catalogue have them."""

from itertools import permutations

from sqlalchemy import text

from sync_service.agencies.projections import upsert_agencies, upsert_procedures
from tests.sync_service.national import (
    National,
    agency,
    filed,
    new_code,
    published,
    register,
)


async def test_agencies_bear_the_newest_names_of_the_registry(national: National) -> None:
    code = new_code("H14.101")
    await national.project(filed(code, received_by="H14.101", decided_by="000.00.05.H14"))
    assert (await national.read(code))["received_by"] == {"code": "H14.101", "name": None}
    await register(
        national,
        agency("H14.101", "UBND phường Thục Phán", "commune", version=2),
        agency("H14.101", "old name", "commune", version=1),
        agency("H14.05", "Sở Tư pháp", version=1),
    )
    await register(national, agency("H14.05", "older name", version=0))
    read = await national.read(code)
    assert read["received_by"]["name"] == "UBND phường Thục Phán"
    assert read["decided_by"] == {"code": "000.00.05.H14", "name": "Sở Tư pháp"}


async def test_newest_version_of_a_procedure_in_the_newer_form_holds(
    empty: National,
) -> None:
    versions = [
        published("1.004222.H41", 30, version=1),
        published("1.004222.000.00.00.H41", 1, version=3),
        published("1.004222.H41", 9, version=2),
    ]
    kept = text("SELECT code, term_duration FROM procedure WHERE code LIKE '1.004222%'")
    for order in permutations(versions):
        for batches in ([order], [[each] for each in order]):
            async with empty.sessions.begin() as session:
                await session.execute(text("DELETE FROM procedure"))
                for batch in batches:
                    await upsert_procedures(session, batch)
                rows = [tuple(row) for row in await session.execute(kept)]
            assert rows == [("1.004222.H41", 9)]


async def test_newest_word_in_the_newer_form_of_an_agency_holds(empty: National) -> None:
    words = [
        agency("000.00.04.G18", "older form", version=3),
        agency("G18.04", "registered anew", version=1),
        agency("G18.04", "changed", version=2),
    ]
    kept = text("SELECT code, name FROM agency WHERE code = 'G18.04'")
    for order in permutations(words):
        for batches in ([order], [[each] for each in order]):
            async with empty.sessions.begin() as session:
                await session.execute(text("DELETE FROM agency"))
                for batch in batches:
                    await upsert_agencies(session, batch)
                rows = [tuple(row) for row in await session.execute(kept)]
            assert rows == [("G18.04", "changed")]


async def test_agency_that_a_dossier_named_first_gets_its_name_in_either_form(
    national: National,
) -> None:
    code = new_code("H14.101")
    await national.project(filed(code, received_by="H14.101", decided_by="H14.77"))
    await register(national, agency("000.00.77.H14", "Sở Nội vụ", version=1))
    assert (await national.read(code))["decided_by"] == {"code": "H14.77", "name": "Sở Nội vụ"}
