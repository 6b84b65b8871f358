from itertools import permutations

from sqlalchemy import delete, select

from gateway.agencies.models import KnownAgency
from gateway.agencies.projections import upsert_agencies
from gateway.agencies.use_cases import list_agency_names
from tests.support.gateway_harness import Gate, make_agency


async def test_older_version_does_not_overwrite_a_newer_one(gate: Gate) -> None:
    agency = make_agency("H29", version=3)
    former = agency.model_copy(update={"version": 2, "name": "former"})
    async with gate.sessions.begin() as session:
        for _ in range(2):
            await upsert_agencies(session, [agency, former])
    async with gate.sessions() as session:
        named = await session.scalar(select(KnownAgency.name).where(KnownAgency.code == "H29"))
        assert named == agency.name


async def test_names_are_those_of_known_agencies(gate: Gate) -> None:
    agency = make_agency("H30")
    async with gate.sessions.begin() as session:
        await upsert_agencies(session, [agency])
        assert await list_agency_names(session, ["H30", "Z99", None]) == {"H30": agency.name}
        assert await list_agency_names(session, [None]) == {}


async def test_newest_word_in_the_newer_form_of_an_agency_holds(gate: Gate) -> None:
    forms = {3: "000.00.04.H31", 1: "H31.04", 2: "H31.04"}
    words = [
        make_agency(code, version=version).model_copy(update={"name": f"name {version}"})
        for version, code in forms.items()
    ]
    for order in permutations(words):
        for batches in ([order], [[each] for each in order]):
            async with gate.sessions.begin() as session:
                await session.execute(delete(KnownAgency).where(KnownAgency.code.contains("H31")))
                for batch in batches:
                    await upsert_agencies(session, batch)
                found = await list_agency_names(session, forms.values())
            # The codes are those of records, which keep theirs.
            assert found == dict.fromkeys(forms.values(), "name 2")
