import json
import subprocess
import sys
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest

from gateway.ledger.records import AccessRecord
from gateway.ledger.schemas import RecordOut
from tests.support.fake_upstream import SUBJECT
from tests.support.gateway_harness import FILE, LEDGER, LIST, VERIFY, Gate, make_agency, make_grant

RECORDS = "GET /ledger/v1/records"
DOSSIER = "H26.14-240823-0001"
FOR_ONE_PLACE: dict[str, str | None] = {"X-Purpose": "1.001193.H26"}
ONE, PROOF, SEALS = f"{RECORDS}/{{}}", f"{RECORDS}/{{}}/proof", "GET /ledger/v1/seals"


@pytest.fixture
async def auditor(gate: Gate) -> str:
    """Sees what all agencies did."""
    return await gate.newcomer(make_grant(operations=LEDGER, agencies=None), agency="G22")


@pytest.fixture
async def reader(gate: Gate) -> str:
    """Sees what H26 did, and all below it."""
    return await gate.newcomer(make_grant(operations=LEDGER, agencies=["H26"]))


async def caller(gate: Gate, agency: str = "H26") -> str:
    return await gate.newcomer(make_grant(agencies=None), agency=agency)


async def read(
    gate: Gate, reader: str, agency_of_reader: str = "G22", /, **wanted: Any
) -> dict[str, Any]:
    answer = await gate.ask(RECORDS, client=reader, agency=agency_of_reader, params=wanted)
    assert answer.status_code == HTTPStatus.OK, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def test_record_tells_who_looked_at_whom_and_what_for(gate: Gate, auditor: str) -> None:
    await gate.tell(make_agency("H26"))
    client = await caller(gate)
    await gate.ask(VERIFY, client=client, headers={"X-Dossier": DOSSIER}, content=b"{}")
    [record] = (await read(gate, auditor, client=client))["items"]
    assert record["agency"] == "H26"
    assert record["agency_name"] == "UBND Thành phố Hà Nội"
    assert (record["client"], record["officer"]) == (client, "officer-1")
    assert (record["operation"], record["purpose"]) == (VERIFY, "1.001193")
    assert (record["dossier"], record["subjects"]) == (DOSSIER, [SUBJECT])
    assert (record["outcome"], record["status"]) == ("allowed", 200)
    assert len(record["request_commitment"]) == len(record["response_commitment"]) == 64


async def test_agency_sees_its_own_records_and_those_below_it(gate: Gate, reader: str) -> None:
    seen = await caller(gate, "H26.14")
    unseen = [await caller(gate, agency) for agency in ("H29", "H261", "G01")]
    for client, agency in zip([seen, *unseen], ["H26.14", "H29", "H261", "G01"], strict=True):
        await gate.ask(VERIFY, client=client, agency=agency)
    assert [r["client"] for r in (await read(gate, reader, "H26", client=seen))["items"]] == [seen]
    for client in unseen:
        assert (await read(gate, reader, "H26", client=client))["items"] == []
        [foreign] = await gate.records(client=client)
        for operation in (ONE, PROOF):
            answer = await gate.ask(operation.format(foreign["id"]), client=reader)
            assert answer.json()["type"] == "/problems/record-not-found"


async def test_right_for_a_national_procedure_shows_what_was_done_for_its_localised_forms(
    gate: Gate,
) -> None:
    grant = make_grant(operations=LEDGER, agencies=None, procedures=["1.001193"])
    reader = await gate.newcomer(grant, agency="G22")
    client = await caller(gate)
    for purpose in ("1.001193.H26", "1.001194", "1.002621.H26"):
        await gate.ask(VERIFY, client=client, headers={"X-Purpose": purpose})
    told = await gate.ask(
        RECORDS, client=reader, agency="G22", params={"client": client}, headers=FOR_ONE_PLACE
    )
    assert [record["purpose"] for record in told.json()["items"]] == ["1.001193.H26"]


async def test_right_for_some_procedures_shows_their_records(gate: Gate) -> None:
    grant = make_grant(operations=LEDGER, agencies=None, procedures=["1.001193"])
    reader = await gate.newcomer(grant, agency="G22")
    client = await caller(gate)
    for purpose in ("1.001193", "1.004222"):
        await gate.ask(VERIFY, client=client, headers={"X-Purpose": purpose})
    found = (await read(gate, reader, client=client))["items"]
    assert [record["purpose"] for record in found] == ["1.001193"]


async def test_right_to_some_fields_shows_no_others(gate: Gate) -> None:
    fields = ["client", "operation", "outcome", "name"]
    grant = make_grant(operations=LEDGER, agencies=None, fields=fields)
    reader = await gate.newcomer(grant, agency="G22")
    client = await caller(gate)
    await gate.ask(VERIFY, client=client)
    [record] = (await read(gate, reader, client=client))["items"]
    shown = {"id", "at", "chain", "seal", "index", "client", "operation", "outcome"}
    assert set(record) == shown
    one = await gate.ask(ONE.format(record["id"]), client=reader, agency="G22")
    assert one.json() == record
    proof = await gate.ask(PROOF.format(record["id"]), client=reader, agency="G22")
    assert (proof.status_code, proof.json()["type"]) == (403, "/problems/fields-not-allowed")
    params = {"subject": SUBJECT, "client": client, "from": record["at"]}
    search = await gate.ask(RECORDS, client=reader, agency="G22", params=params)
    assert (search.status_code, search.json()["fields"]) == (403, ["subjects"])


async def test_records_are_found_by_each_filter(gate: Gate, auditor: str) -> None:
    client = await caller(gate)
    await gate.ask(VERIFY, client=client, headers={"X-Dossier": DOSSIER})
    await gate.ask(LIST, client=client)
    await gate.ask(VERIFY, client=client, headers={"X-Officer": None})
    # The last is durable when it is answered, and what came before it as well.
    allowed, listed, refused = await gate.records(client=client)
    at = listed["at"].isoformat()
    for wanted, found in (
        ({"subject": SUBJECT, "operation": VERIFY}, [allowed]),
        ({"dossier": DOSSIER}, [allowed]),
        ({"operation": LIST}, [listed]),
        ({"outcome": "refused"}, [refused]),
        ({"agency": "H26"}, [refused, listed, allowed]),
        ({"agency": "H29"}, []),
        ({"from": at}, [refused, listed]),
        ({"to": at}, [allowed]),
    ):
        page = await read(gate, auditor, client=client, **wanted)
        assert [record["id"] for record in page["items"]] == [str(row["id"]) for row in found]


async def test_pages_show_each_record_once(gate: Gate, auditor: str) -> None:
    client = await caller(gate)
    for _ in range(5):
        await gate.ask(VERIFY, client=client)
    seen: list[str] = []
    after: str | None = None
    while True:
        later = {"after": after} if after else {}
        page = await read(gate, auditor, client=client, limit=2, **later)
        seen += [record["id"] for record in page["items"]]
        if (after := page["next"]) is None:
            break
    assert seen == [str(row["id"]) for row in reversed(await gate.records(client=client))]


async def test_completion_comes_before_what_it_completes(gate: Gate, auditor: str) -> None:
    client = await gate.newcomer(make_grant(operations=[FILE], agencies=None))
    for _ in range(6):
        await gate.ask(FILE, client=client, json={})
    told: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        page = await read(gate, auditor, client=client, limit=1, **after)
        told += page["items"]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    completions, announcements = told[::2], told[1::2]
    assert [each["completes"] for each in completions] == [each["id"] for each in announcements]
    assert len({each["id"] for each in told}) == len(told) == 12


async def test_reading_the_ledger_is_on_record_itself(gate: Gate, auditor: str) -> None:
    client = await caller(gate)
    await gate.ask(VERIFY, client=client)
    [record] = await gate.records(client=client)
    await read(gate, auditor, subject=SUBJECT)
    await gate.ask(ONE.format(record["id"]), client=auditor, agency="G22")
    await read(gate, auditor, client=client)
    by_person, one, by_client = await gate.records(client=auditor)
    assert (by_person["operation"], by_person["subjects"]) == (RECORDS, [SUBJECT])
    assert one["operation"] == "GET /ledger/v1/records/{record_id}"
    assert one["subjects"] == [SUBJECT]
    assert by_client["subjects"] == []


async def test_record_of_a_reader_names_the_dossier_the_person_and_the_members(
    gate: Gate, auditor: str
) -> None:
    client = await caller(gate)
    await gate.ask(VERIFY, client=client, headers={"X-Dossier": DOSSIER}, content=b"{}")
    [record] = await gate.records(client=client)
    await read(gate, auditor, dossier=DOSSIER)
    await read(gate, auditor, dossier=DOSSIER, client="nobody-h26")
    await gate.ask(ONE.format(record["id"]), client=auditor, agency="G22")
    await gate.ask(PROOF.format(record["id"]), client=auditor, agency="G22")
    rows = await gate.records(client=auditor)
    found, empty, one, proof = [AccessRecord.parse_sealed_text(row["record"]) for row in rows]
    for each in (found, empty, one, proof):
        assert each.dossier == DOSSIER
    assert list(empty.fields) == ["client", "dossier"]
    whole = set(RecordOut.model_fields) - {"id", "at", "chain", "seal", "index"}
    assert set(found.fields) == set(one.fields) == set(proof.fields) == whole
    assert (list(found.subjects), list(one.subjects)) == ([], [SUBJECT])
    narrow = await gate.newcomer(
        make_grant(operations=LEDGER, agencies=None, fields=["client", "dossier"]), agency="G22"
    )
    await read(gate, narrow, dossier=DOSSIER)
    [row] = await gate.records(client=narrow)
    assert list(AccessRecord.parse_sealed_text(row["record"]).fields) == ["client", "dossier"]


async def test_proof_is_verified_offline(gate: Gate, auditor: str, tmp_path: Any) -> None:
    client = await caller(gate)
    await gate.ask(VERIFY, client=client)
    [record] = await gate.records(client=client)
    answer = await gate.ask(PROOF.format(record["id"]), client=auditor, agency="G22")
    bundle = answer.json()
    assert json.loads(bundle["record"])["client"] == client
    [key] = (await gate.http.get("/.well-known/ledger-keys.json")).json()["keys"]
    assert key["kid"] == json.loads(bundle["header"])["key_id"]
    (tmp_path / "trusted.pem").write_text(key["pem"])

    def verify(told: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        (tmp_path / "bundle.json").write_text(json.dumps(told))
        command = [sys.executable, "deploy/verify_proof.py", "bundle.json", "trusted.pem"]
        command[1:] = [
            str(tmp_path / part) if "deploy" not in part else part for part in command[1:]
        ]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert verify(bundle).stdout.startswith("PROVED: record 1 of 1 in batch")
    changed = bundle | {"record": bundle["record"].replace("allowed", "refused")}
    assert verify(changed).returncode == 1


async def test_seals_of_a_chain_follow_each_other(gate: Gate, auditor: str) -> None:
    for _ in range(3):
        await gate.ask(VERIFY)
    first = await gate.ask(SEALS, client=auditor, agency="G22", params={"limit": 2})
    page = first.json()
    rest = await gate.ask(SEALS, client=auditor, agency="G22", params={"after": page["next"]})
    numbers = [seal["number"] for seal in (*page["items"], *rest.json()["items"])]
    assert numbers == list(range(1, len(numbers) + 1))
    assert json.loads(page["items"][1]["header"])["number"] == 2


async def test_ledger_is_closed_without_a_right(gate: Gate) -> None:
    client = await caller(gate)
    for operation in (RECORDS, ONE.format(uuid4()), PROOF.format(uuid4()), SEALS):
        answer = await gate.ask(operation, client=client)
        assert answer.json()["type"] == "/problems/not-allowed"
    refused = await gate.records(client=client)
    assert [row["outcome"] for row in refused] == ["refused"] * 4


async def test_ledger_asks_what_for(gate: Gate, auditor: str) -> None:
    answer = await gate.ask(RECORDS, client=auditor, agency="G22", headers={"X-Purpose": None})
    assert answer.json()["type"] == "/problems/purpose-missing"


async def test_forged_right_does_not_open_the_ledger(gate: Gate) -> None:
    client = await caller(gate)
    forged = gate.authority.right(client, RECORDS, "gateway")
    answer = await gate.ask(RECORDS, client=client, headers={"X-Right": forged})
    assert answer.status_code == HTTPStatus.FORBIDDEN


async def test_dead_letters_of_the_gateway_are_for_operators(gate: Gate) -> None:
    letters = "GET /gateway/v1/dead-letters"
    operator = await gate.newcomer(make_grant(operations=["*"], agencies=None), agency="G22")
    answer = await gate.ask(letters, client=operator, agency="G22")
    assert (answer.status_code, answer.json()) == (HTTPStatus.OK, {"items": [], "next": None})
    client = await caller(gate)
    assert (await gate.ask(letters, client=client)).status_code == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("wanted", [{"subject": "001099000001"}, {"from": "yesterday"}])
async def test_filter_that_is_none_is_named_and_not_repeated(
    gate: Gate, auditor: str, wanted: dict[str, str]
) -> None:
    answer = await gate.ask(RECORDS, client=auditor, agency="G22", params=wanted)
    assert answer.json()["type"] == "/problems/invalid-request"
    assert "001099000001" not in answer.text


@pytest.mark.parametrize(
    ("operation", "word"), [(RECORDS, "client"), (RECORDS, "operation"), (SEALS, "chain")]
)
@pytest.mark.parametrize("value", ["a\0", "a\nb", "a" * 301, "", " "], ids=ascii)
async def test_filter_that_no_record_can_have_is_refused_by_name(
    gate: Gate, auditor: str, operation: str, word: str, value: str
) -> None:
    answer = await gate.ask(operation, client=auditor, agency="G22", params={word: value})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")
    assert [fault["at"] for fault in answer.json()["errors"]] == [f"query.{word}"]
