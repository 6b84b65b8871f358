"""What the ledger keeps of a body binds it and gives nothing away without the caller's salt."""

import hmac
import json
from hashlib import sha256
from typing import Any

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from starlette.responses import JSONResponse, Response

from deploy.postgres import plain_url
from gateway.ledger.records import AccessRecord
from gateway.ledger.schemas import RecordOut
from gateway.operations.model import MIB
from tests.gateway.ledger.receipts import Receipt
from tests.support.fake_upstream import SUBJECT
from tests.support.gateway_harness import VERIFY, Gate, make_grant

BODY = b'{"personal_number": "001090000001", "name": "Nguy\xe1\xbb\x85n V\xc4\x83n An"}'
ANSWER = {"result": "MATCH"}
RECORDS = "GET /ledger/v1/records"
READ_RECORD = "GET /ledger/v1/records/{id}"


def opened(salt: bytes, part: str, body: bytes) -> str:
    return hmac.digest(salt, f"{part}:{sha256(body).hexdigest()}".encode(), "sha256").hex()


async def stored(gate: Gate, record_id: str) -> dict[str, Any]:
    [row] = await gate.records(id=record_id)
    record: dict[str, Any] = json.loads(row["record"])
    return record


async def verify(gate: Gate) -> tuple[Receipt, bytes]:
    client, before = await gate.newcomer(make_grant()), gate.services.answer
    gate.services.answer = lambda: JSONResponse(ANSWER, headers={"X-Subject": SUBJECT})
    try:
        answer = await gate.ask(VERIFY, client=client, content=BODY)
    finally:
        gate.services.answer = before
    assert answer.is_success, answer.text
    return Receipt.read(answer.headers["X-Ledger-Receipt"]), answer.content


async def test_receipt_opens_the_commitments_of_its_record(gate: Gate) -> None:
    receipt, answer = await verify(gate)
    record = await stored(gate, receipt.record)
    assert record["request_commitment"] == opened(receipt.salt, "request", BODY)
    assert record["response_commitment"] == opened(receipt.salt, "response", answer)


async def test_receipt_holds_the_head_of_the_chain_as_it_was_signed(gate: Gate) -> None:
    receipt, _ = await verify(gate)
    [row] = await gate.records(id=receipt.record)
    header = json.loads(receipt.head)
    assert (header["chain"], header["number"]) == (row["chain"], row["number"])
    [key] = gate.gateway.local_app.state.ledger_key_set["keys"]
    public = load_pem_public_key(key["pem"].encode())
    assert isinstance(public, Ed25519PublicKey)
    public.verify(receipt.signature, receipt.head)


async def test_salts_are_new_for_each_call_and_stored_nowhere(gate: Gate) -> None:
    (one, _), (two, _) = await verify(gate), await verify(gate)
    assert one.salt != two.salt
    assert len(one.salt) == 16
    first, second = await stored(gate, one.record), await stored(gate, two.record)
    assert first["request_commitment"] != second["request_commitment"]
    text = await whole_database(gate)
    assert one.salt.hex() not in text
    assert one.record in text


async def test_no_plain_digest_of_a_body_is_stored(gate: Gate) -> None:
    _, answer = await verify(gate)
    text = await whole_database(gate)
    for body in (BODY, answer, b""):
        assert sha256(body).hexdigest() not in text


async def test_request_and_answer_of_the_same_bytes_have_different_commitments(gate: Gate) -> None:
    client, before = await gate.newcomer(make_grant()), gate.services.answer
    gate.services.answer = lambda: Response(b"{}", headers={"X-Subject": SUBJECT})
    try:
        answer = await gate.ask(VERIFY, client=client, content=b"{}")
    finally:
        gate.services.answer = before
    record = await stored(gate, Receipt.read(answer.headers["X-Ledger-Receipt"]).record)
    assert record["request_commitment"] != record["response_commitment"]


async def test_long_answer_is_committed_to_in_the_record_that_the_receipt_announces(
    gate: Gate,
) -> None:
    client, before = await gate.newcomer(make_grant()), gate.services.answer
    body = b"x" * 3 * MIB
    gate.services.answer = lambda: Response(body, headers={"X-Subject": SUBJECT})
    try:
        answer = await gate.ask(VERIFY, client=client, content=BODY)
    finally:
        gate.services.answer = before
    receipt = Receipt.read(answer.headers["X-Ledger-Receipt"])
    assert receipt.completion
    first = await stored(gate, receipt.record)
    second = await stored(gate, receipt.completion)
    assert first["request_commitment"] == opened(receipt.salt, "request", BODY)
    assert (first["response_commitment"], second["completes"]) == (None, receipt.record)
    assert second["response_commitment"] == opened(receipt.salt, "response", body)


@pytest.mark.parametrize(
    ("headers", "status"), [({"X-Purpose": None}, 400), ({"X-Dossier": "nonsense"}, 400)]
)
async def test_refusal_on_record_has_its_receipt(
    gate: Gate, headers: dict[str, str | None], status: int
) -> None:
    client = await gate.newcomer(make_grant())
    answer = await gate.ask(VERIFY, client=client, headers=headers, content=BODY)
    assert answer.status_code == status
    receipt = Receipt.read(answer.headers["X-Ledger-Receipt"])
    assert (await stored(gate, receipt.record))["outcome"] == "refused"


async def test_own_operation_has_its_receipt(gate: Gate) -> None:
    client = await gate.newcomer(make_grant(operations=[RECORDS], agencies=None))
    answer = await gate.ask(RECORDS, client=client)
    receipt = Receipt.read(answer.headers["X-Ledger-Receipt"])
    record = await stored(gate, receipt.record)
    assert record["response_commitment"] == opened(receipt.salt, "response", answer.content)


async def test_service_cannot_give_a_receipt(gate: Gate) -> None:
    client, before = await gate.newcomer(make_grant()), gate.services.answer
    headers = {"X-Subject": SUBJECT, "X-Ledger-Receipt": 'record="made-up"'}
    gate.services.answer = lambda: JSONResponse({}, headers=headers)
    try:
        answer = await gate.ask(VERIFY, client=client, content=BODY)
    finally:
        gate.services.answer = before
    assert len(answer.headers.get_list("X-Ledger-Receipt")) == 1
    assert "made-up" not in answer.headers["X-Ledger-Receipt"]


async def test_reader_of_the_ledger_without_the_salt_cannot_try_bodies(gate: Gate) -> None:
    receipt, _ = await verify(gate)
    [row] = await gate.records(id=receipt.record)
    record = json.loads(row["record"])
    bodies = [BODY.replace(b"000001", b"%06d" % number) for number in range(100)]
    seen = [b"", *(str(value).encode() for value in (*record.values(), *row.values()))]
    for body in bodies:
        tried = {opened(key, "request", body) for key in seen} | {sha256(body).hexdigest()}
        assert record["request_commitment"] not in tried
    matching = [
        b for b in bodies if opened(receipt.salt, "request", b) == record["request_commitment"]
    ]
    assert matching == [BODY]


OLD = (
    b'{"agency":"H26","at":"2026-11-02T08:30:00.000000Z","client":"h26","completes":null,'
    b'"dossier":null,"duration_ms":12,"fields":["name"],"id":"3f0c4a52-0000-4000-8000-000000000001",'
    b'"officer":"o-1","operation":"POST /identity/v1/verifications","outcome":"allowed",'
    b'"purpose":"1.001193","request_id":"request-1","request_sha256":"' + b"cd" * 32 + b'",'
    b'"response_sha256":null,"status":200,"subjects":["' + b"ab" * 32 + b'"]}'
)


def test_record_of_the_first_form_is_read_without_its_digests() -> None:
    record = AccessRecord.parse_sealed_text(OLD)
    assert (record.client, record.outcome, record.status) == ("h26", "allowed", 200)
    assert (record.request_commitment, record.response_commitment) == (None, None)
    grounds = (record.grants, record.legal_bases, record.purpose_kind, record.target)
    assert grounds == (None, None, None, None)
    assert not any("sha256" in name for name in (*AccessRecord._fields, *RecordOut.model_fields))


async def whole_database(gate: Gate) -> str:
    """Every row of every table; a column of bytes as its text and as hex."""
    connection = await asyncpg.connect(plain_url(gate.settings.database_url))
    try:
        names = await connection.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        tables = [row["table_name"] for row in names]
        rows = [await connection.fetch(f'SELECT * FROM "{table}"') for table in tables]
    finally:
        await connection.close()
    return "\n".join(_text(value) for found in rows for row in found for value in row)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return f"{value.hex()} {value.decode(errors='replace')}"
    return str(value)
