"""Agencies are shown as the registry has them."""

from tests.sync_service.national import (
    National,
    agency,
    filed,
    new_code,
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
