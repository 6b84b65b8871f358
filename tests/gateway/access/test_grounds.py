"""A record names the grants and the legal basis of a call, and the target of an act."""

import json
from typing import Any
from uuid import uuid4

import orjson
import pytest
from starlette.responses import JSONResponse

from gateway.ledger.records import AccessRecord
from gateway.operations.table import OPERATIONS
from tests.gateway.ledger.ledgers import Store, draft, writing
from tests.support.gateway_harness import LEDGER, VERIFY, Gate, make_grant

CLIENTS, GRANTS = "/identity/v1/clients", "/identity/v1/grants"
GIVE, REGISTER = f"POST {GRANTS}", f"POST {CLIENTS}"
NUMBER = "001090000001"
# Of an old card: the answers heard by the whole run are searched for new numbers.
OLD_NUMBER = "012345678"
GROUNDS = ("grants", "legal_bases", "purpose_kind", "target")
# Older forms of a record lack these members.
LATER = (*GROUNDS, "replayed")
ACTS = [each.name for each in OPERATIONS.values() if each.is_administration]
NAMING = [name for name in ACTS if "{" in name]


async def last_record(gate: Gate, client: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((await gate.records(client=client))[-1]["record"])
    return record


async def test_record_names_the_grant_that_let_the_call_in_and_its_legal_basis(gate: Gate) -> None:
    birth = make_grant(procedures=["1.001193"], legal_basis="Luật 26/2023/QH15")
    copy = make_grant(procedures=["2.000815"], legal_basis="Nghị định 118/2025/NĐ-CP")
    client = await gate.newcomer(birth, copy)
    for grant, purpose in ((birth, "1.001193.H26"), (copy, "2.000815")):
        await gate.ask(VERIFY, client=client, headers={"X-Purpose": purpose})
        record = await last_record(gate, client)
        assert record["grants"] == [str(grant.grant_id)]
        assert record["legal_bases"] == [grant.legal_basis]


async def test_record_of_a_refused_call_names_no_grant(gate: Gate) -> None:
    client = await gate.newcomer(make_grant(procedures=["2.000815"]))
    await gate.ask(VERIFY, client=client)
    record = await last_record(gate, client)
    assert (record["outcome"], record["grants"], record["legal_bases"]) == ("refused", [], [])


async def test_reader_of_the_ledger_sees_the_grounds(gate: Gate) -> None:
    grant = make_grant(legal_basis="Luật 26/2023/QH15")
    client = await gate.newcomer(grant)
    auditor = await gate.newcomer(make_grant(operations=LEDGER, agencies=None), agency="G22")
    await gate.ask(VERIFY, client=client)
    answer = await gate.ask(
        "GET /ledger/v1/records", client=auditor, agency="G22", params={"client": client}
    )
    [record] = answer.json()["items"]
    assert record["grants"] == [str(grant.grant_id)]
    assert record["legal_bases"] == ["Luật 26/2023/QH15"]
    assert (record["purpose_kind"], record["target"]) == ("unchecked", None)


@pytest.mark.parametrize("operation", NAMING)
async def test_act_that_names_a_thing_in_its_path_is_recorded_with_it(
    gate: Gate, operation: str
) -> None:
    operator = await gate.newcomer(make_grant(operations=["*"], agencies=None), agency="G22")
    values = {"client_id": "onestop-h29", "kid": "key-7", "code": "H29.101"}
    values |= {"grant_id": str(uuid4()), "letter_id": str(uuid4())}
    await gate.ask(operation.format(**values), client=operator, agency="G22", content=b"{}")
    path = operation.partition(" ")[2]
    rows = await gate.records(client=operator)
    assert rows
    for row in rows:
        target = json.loads(row["record"])["target"]
        assert target == path[: path.rindex("}") + 1].format(**values)


@pytest.mark.parametrize(
    ("operation", "made"),
    [(REGISTER, f"{CLIENTS}/ward-7"), (GIVE, f"{GRANTS}/{uuid4()}")],
    ids=("client", "grant"),
)
async def test_act_that_makes_a_thing_is_recorded_with_it(
    gate: Gate, operation: str, made: str
) -> None:
    operator, before = await gate.newcomer(make_grant(operations=["*"])), gate.services.answer
    gate.services.answer = lambda: JSONResponse({}, 201, {"Location": made})
    try:
        answer = await gate.ask(operation, client=operator, content=b"{}")
    finally:
        gate.services.answer = before
    assert answer.headers["Location"] == made
    announced, completed = [
        json.loads(row["record"]) for row in await gate.records(client=operator)
    ]
    assert (announced["target"], announced["outcome"]) == (None, "unknown")
    assert (completed["target"], completed["completes"]) == (made, announced["id"])


@pytest.mark.parametrize(
    "told",
    [
        f"{CLIENTS}/{OLD_NUMBER}",
        "https://elsewhere.example/a",
        "/a b",
        "/\xe9",
        "/" + "a" * 200,
        "",
    ],
)
async def test_thing_that_is_no_path_of_the_mesh_is_not_recorded(gate: Gate, told: str) -> None:
    operator, before = await gate.newcomer(make_grant(operations=["*"])), gate.services.answer
    gate.services.answer = lambda: JSONResponse({}, 201, {"Location": told})
    try:
        await gate.ask(REGISTER, client=operator, content=b"{}")
    finally:
        gate.services.answer = before
    record = await last_record(gate, operator)
    assert record["target"] is None
    assert OLD_NUMBER not in str(record)


async def test_number_of_a_person_in_the_place_of_a_client_is_not_recorded(gate: Gate) -> None:
    operator = await gate.newcomer(make_grant(operations=["*"]))
    await gate.ask(f"POST {CLIENTS}/{NUMBER}/deactivation", client=operator, content=b"{}")
    rows = await gate.records(client=operator)
    assert rows
    for row in rows:
        assert NUMBER.encode() not in row["record"]


async def test_call_about_a_person_has_no_target(gate: Gate) -> None:
    client = await gate.newcomer(make_grant())
    await gate.ask(VERIFY, client=client)
    assert (await last_record(gate, client))["target"] is None


async def test_records_of_the_form_without_grounds_stay_proved_and_readable(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain hashes each record as the text that it is, whichever members it has."""

    def write_older(record: AccessRecord) -> bytes:
        members = json.loads(canonical(record))
        return orjson.dumps({name: members[name] for name in members if name not in LATER})

    canonical = AccessRecord.encode_canonical_json
    async with writing(store) as ledger:
        monkeypatch.setattr(AccessRecord, "encode_canonical_json", write_older)
        await ledger.record(draft("request-1"))
        monkeypatch.undo()
        await ledger.record(draft("request-2"))
    await store.assert_intact()
    stored = await store.rows("SELECT record FROM access_record ORDER BY number, index")
    older, newer = [AccessRecord.parse_sealed_text(row["record"]) for row in stored]
    assert {getattr(older, name) for name in LATER} == {None}
    assert (newer.grants, newer.legal_bases) == ((), ())
    assert [row["record"] for row in stored] == [write_older(older), newer.encode_canonical_json()]
