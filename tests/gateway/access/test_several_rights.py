"""A reader of the ledger with several rights sees what each of them shows."""

from tests.gateway.ledger.test_routes import DOSSIER, ONE, RECORDS, caller, read
from tests.support.gateway_harness import LEDGER, VERIFY, Gate, make_grant


async def test_reader_with_two_rights_sees_the_records_of_each_with_its_fields(gate: Gate) -> None:
    here = make_grant(operations=LEDGER, agencies=["H26"], fields=["client", "status"])
    there = make_grant(operations=LEDGER, agencies=["H29"], fields=["client", "officer"])
    reader = await gate.newcomer(here, there, agency="G22")
    clients = {agency: await caller(gate, agency) for agency in ("H26", "H29", "H30")}
    shown = {}
    for agency, client in clients.items():
        await gate.ask(VERIFY, client=client, agency=agency)
        for record in (await read(gate, reader, client=client))["items"]:
            shown[agency] = record.keys() & {"client", "status", "officer"}
            one = await gate.ask(ONE.format(record["id"]), client=reader, agency="G22")
            assert one.json() == record
    assert shown == {"H26": {"client", "status"}, "H29": {"client", "officer"}}
    search = await gate.ask(RECORDS, client=reader, agency="G22", params={"dossier": DOSSIER})
    assert (search.status_code, search.json()["fields"]) == (403, ["dossier"])
