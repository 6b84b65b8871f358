import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.chain.audit import ChainFault, FaultKind, verify_chain
from gateway.ledger.chain.keys import compute_key_id, encode_public_pem
from gateway.ledger.chain.receipts import write_receipt_value, write_seal_members
from gateway.ledger.chain.seals import (
    START,
    BatchHeader,
    Bundle,
    SealedBatch,
    prove_batch_record,
    seal_record_batch,
)
from gateway.ledger.record_draft import AccessRecordDraft, compute_body_commitment
from gateway.ledger.records import AccessOutcome, AccessRecord, PurposeKind
from gateway.operations.table import OPERATIONS
from shared.crypto import merkle
from tests.gateway.proxy.proving import verify
from tests.guides.pages import DOCS, read_page

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
FORGER = Ed25519PrivateKey.from_private_bytes(bytes(32))
TRUSTED = {compute_key_id(KEY.public_key()): KEY.public_key()}
AT = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
PROJECT = Path(__file__).parents[4]
SCRIPT = PROJECT / "deploy" / "verify_proof.py"
GUIDE = DOCS / "en" / "how-to" / "prove-an-access.md"
# The number of records in a batch, and the index of the one that is proved.
PLACES = [(1, 0), (2, 1), (5, 4), (7, 6), (7, 3)]


def make_record(number: int) -> bytes:
    return AccessRecord(
        id=f"record-{number}",
        at=AT,
        agency="H26",
        calls=1,
        source=None,
        grants=("0af76519-16cd-43dd-8448-eb211c80319c",),
        legal_bases=("Luật 26/2023/QH15",),
        purpose_kind=PurposeKind.PROCEDURE,
        target=None,
        client="h26-onestop",
        completes=None,
        replayed=False,
        officer="Nguyễn Thị Hòa",
        operation="POST /identity/v1/verifications",
        purpose="1.001193",
        dossier="H26.14-261102-0001",
        subjects=("ab" * 32,),
        fields=("birth_date", "name"),
        request_commitment="cd" * 32,
        response_commitment=None,
        outcome=AccessOutcome.ALLOWED,
        status=200,
        duration_ms=12,
        request_id="0af7651916cd43dd8448eb211c80319c",
    ).encode_canonical_json()


def make_chain(*sizes: int, key: Ed25519PrivateKey = KEY) -> list[SealedBatch]:
    batches: list[SealedBatch] = []
    after, number = START, 0
    for size in sizes:
        records = [make_record(number + place) for place in range(size)]
        batches.append(seal_record_batch(records, chain="gateway-1", after=after, at=AT, key=key))
        after, number = batches[-1].compute_own_anchor(), number + size
    return batches


def faults_of(batches: list[SealedBatch]) -> list[ChainFault]:
    return verify_chain(batches, TRUSTED, chain="gateway-1")


def with_records(batch: SealedBatch, records: list[bytes]) -> SealedBatch:
    return replace(batch, records=tuple(records))


def test_record_is_canonical_json_and_reads_back() -> None:
    canonical = make_record(1)
    told = json.loads(canonical)
    again = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical == again.encode()
    assert told["at"] == "2026-11-02T08:30:00.000000Z"
    assert AccessRecord.parse_sealed_text(canonical).encode_canonical_json() == canonical


def test_record_tells_what_the_exchange_was() -> None:
    operation = OPERATIONS["POST /identity/v1/verifications"]
    draft = AccessRecordDraft(operation, "request-1", client="h26-onestop", subjects=("ab" * 32,))
    draft.end_call(403, AccessOutcome.REFUSED)
    draft.duration_s = 0.0126
    record = draft.build_record()
    assert (record.operation, record.client) == (operation.name, "h26-onestop")
    assert (record.status, record.outcome, record.duration_ms) == (403, "refused", 13)


def test_untouched_chain_has_no_fault() -> None:
    assert faults_of(make_chain(3, 1, 8)) == []


def test_part_of_a_chain_is_checked_from_its_anchor() -> None:
    batches = make_chain(3, 1, 8)
    after = batches[0].compute_own_anchor()
    assert verify_chain(batches[1:], TRUSTED, chain="gateway-1", after=after) == []


def test_changed_record_is_named() -> None:
    batches = make_chain(3, 4)
    records = list(batches[1].records)
    records[2] = records[2].replace(b"1.001193", b"9.999999")
    batches[1] = with_records(batches[1], records)
    assert faults_of(batches) == [ChainFault(2, FaultKind.RECORD_CHANGED, "record-5")]


def test_record_made_unreadable_is_named_by_its_place() -> None:
    batches = make_chain(3)
    batches[0] = with_records(batches[0], [batches[0].records[0], b"\xff", batches[0].records[2]])
    assert faults_of(batches) == [ChainFault(1, FaultKind.RECORD_CHANGED, "place 1")]


def test_removed_record_is_named_by_its_place() -> None:
    batches = make_chain(4)
    batches[0] = with_records(batches[0], [*batches[0].records[:1], *batches[0].records[2:]])
    assert faults_of(batches) == [ChainFault(1, FaultKind.RECORD_REMOVED, "place 1")]


def test_added_record_is_named() -> None:
    batches = make_chain(4)
    batches[0] = with_records(batches[0], [*batches[0].records, make_record(99)])
    assert faults_of(batches) == [ChainFault(1, FaultKind.RECORD_ADDED, "record-99")]


def test_moved_record_is_named() -> None:
    batches = make_chain(3)
    first, second, third = batches[0].records
    batches[0] = with_records(batches[0], [second, third, first])
    assert faults_of(batches) == [ChainFault(1, FaultKind.RECORD_MOVED, "record-0")]


def test_record_and_leaf_changed_together_break_the_root() -> None:
    batches = make_chain(3)
    records = [make_record(99), *batches[0].records[1:]]
    leaves = tuple(map(merkle.hash_leaf, records))
    batches[0] = replace(with_records(batches[0], records), leaves=leaves)
    assert faults_of(batches) == [ChainFault(1, FaultKind.LEAVES_CHANGED)]


def test_changed_header_breaks_its_signature() -> None:
    batches = make_chain(2, 2)
    header = batches[1].header.replace(b"2026", b"2025")
    batches[1] = replace(batches[1], header=header)
    assert ChainFault(2, FaultKind.BATCH_FORGED) in faults_of(batches)


def test_batch_of_another_key_is_forged() -> None:
    batches = make_chain(2, 2)
    forged = seal_record_batch(
        [b"{}"], chain="gateway-1", after=batches[-1].compute_own_anchor(), at=AT, key=FORGER
    )
    assert faults_of([*batches, forged]) == [ChainFault(3, FaultKind.BATCH_FORGED)]


def test_batch_of_another_chain_is_forged() -> None:
    batches = make_chain(2)
    foreign = seal_record_batch(
        [b"{}"], chain="gateway-2", after=batches[-1].compute_own_anchor(), at=AT, key=KEY
    )
    assert faults_of([*batches, foreign]) == [ChainFault(2, FaultKind.BATCH_FORGED)]


def test_unreadable_header_is_forged() -> None:
    batches = make_chain(1)
    assert ChainFault(-1, FaultKind.BATCH_FORGED) in faults_of([replace(batches[0], header=b"{}")])


def test_removed_batch_is_named() -> None:
    first, _, third = make_chain(1, 1, 1)
    assert faults_of([first, third]) == [ChainFault(2, FaultKind.BATCH_REMOVED)]


def test_batches_out_of_order_are_named() -> None:
    first, second, third = make_chain(1, 1, 1)
    assert faults_of([first, third, second]) == [ChainFault(2, FaultKind.BATCH_MOVED)]


def test_repeated_batch_is_named() -> None:
    first, second = make_chain(1, 1)
    assert faults_of([first, second, second]) == [ChainFault(2, FaultKind.BATCH_REPEATED)]


def test_rewritten_batch_breaks_the_link_even_with_the_key() -> None:
    first, _, third = make_chain(1, 1, 1)
    rewritten = seal_record_batch(
        [make_record(99)], chain="gateway-1", after=first.compute_own_anchor(), at=AT, key=KEY
    )
    assert faults_of([first, rewritten, third]) == [ChainFault(3, FaultKind.LINK_BROKEN)]


@given(st.integers(1, 20), st.data())
def test_every_record_of_a_batch_has_a_proof(size: int, data: st.DataObject) -> None:
    (batch,) = make_chain(size)
    index = data.draw(st.integers(0, size - 1))
    bundle = Bundle.model_validate_json(
        prove_batch_record(batch, index, KEY.public_key()).model_dump_json()
    )
    header = BatchHeader.model_validate_json(bundle.header)
    siblings = [bytes.fromhex(each) for each in bundle.path]
    leaf = merkle.hash_leaf(bundle.record.encode())
    assert verify(leaf, index, size, siblings, bytes.fromhex(header.root))
    assert (header.number, header.count) == (1, size)


def tampered(bundle: Bundle) -> dict[str, Bundle]:
    forged = make_chain(5, key=FORGER)[0]
    return {
        "record": bundle.model_copy(update={"record": bundle.record.replace("1.00", "2.00")}),
        "place": bundle.model_copy(update={"index": 3}),
        "outside": bundle.model_copy(update={"index": 7}),
        "path": bundle.model_copy(update={"path": bundle.path[::-1]}),
        "header": bundle.model_copy(update={"header": bundle.header.replace("2026", "2025")}),
        "key": prove_batch_record(forged, 2, FORGER.public_key()),
    }


def check_offline(bundle: Bundle, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "bundle.json").write_text(bundle.model_dump_json())
    (folder / "trusted.pem").write_bytes(encode_public_pem(KEY.public_key()))
    command = [sys.executable, "-I", str(SCRIPT), "bundle.json", "trusted.pem"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("size", "index"), PLACES)
def test_openssl_proves_the_bundle_offline(size: int, index: int, tmp_path: Path) -> None:
    bundle = prove_batch_record(make_chain(size)[0], index, KEY.public_key())
    checked = check_offline(bundle, tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.startswith(f"PROVED: record {index + 1} of {size} in batch 1 ")


@pytest.mark.parametrize("part", ["record", "place", "outside", "path", "header", "key"])
def test_openssl_refuses_the_tampered_bundle(part: str, tmp_path: Path) -> None:
    bundle = tampered(prove_batch_record(make_chain(5)[0], 2, KEY.public_key()))[part]
    checked = check_offline(bundle, tmp_path)
    assert checked.returncode == 1
    assert checked.stderr.startswith("BROKEN")


@pytest.mark.parametrize(("size", "index"), PLACES)
def test_the_guides_own_commands_prove_the_bundle_and_the_call(
    size: int, index: int, tmp_path: Path
) -> None:
    salt, request, answer = bytes(range(16)), b'{"personal_number": "001090000001"}', b"{}"
    record = AccessRecord.parse_sealed_text(make_record(index))._replace(
        request_commitment=compute_body_commitment(salt, "request", sha256(request).hexdigest()),
        response_commitment=compute_body_commitment(salt, "response", sha256(answer).hexdigest()),
    )
    records = [make_record(number) for number in range(size)]
    records[index] = record.encode_canonical_json()
    batch = seal_record_batch(records, chain="gateway-1", after=START, at=AT, key=KEY)
    bundle = prove_batch_record(batch, index, KEY.public_key())
    members = write_seal_members(batch.header, batch.signature)
    line = write_receipt_value(record.id, salt, members, completion=None)
    folder = tmp_path / ".run" / "proof"
    folder.mkdir(parents=True)
    (folder / "bundle.json").write_text(bundle.model_dump_json())
    (folder / "trusted.pem").write_bytes(encode_public_pem(KEY.public_key()))
    (folder / "receipt.txt").write_bytes(b"X-Ledger-Receipt: " + line + b"\n")
    (folder / "request.json").write_bytes(request)
    (folder / "answer.json").write_bytes(answer)
    offline = [part for part in read_page(GUIDE).sections if part.id in {"by-hand", "yours"}]
    blocks = [block.text for part in offline for block in part.fences if block.language == "sh"]
    shell = ["sh", "-euc", "\n".join(blocks)]
    shown = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, check=True)
    verified = "Signature Verified Successfully"
    assert shown.stdout.splitlines() == [verified, "proved", "1", "1", verified]
    assert (folder / "head").read_bytes() == batch.header
