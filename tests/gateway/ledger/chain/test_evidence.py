"""The anchors and receipts that a ledger is held against: what they prove, and what not."""

import asyncio
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.ledger.chain.anchors import AnchorsUnreadableError, read_receipt_anchors
from gateway.ledger.chain.receipts import write_receipt_value
from gateway.ledger.chain.seals import Anchor, hash_batch_header, seal_record_batch
from gateway.ledger.chain.verification import ChainState
from gateway.ledger.jobs import anchor_all_chains
from shared.database.engine import open_database
from shared.events import LedgerAnchored
from tests.conftest import Databases
from tests.gateway.ledger.ledgers import Store, command, draft, filled, tamper, writing
from tests.support.gateway_harness import make_settings

FORGER = Ed25519PrivateKey.from_private_bytes(bytes(32))


async def test_forged_anchor_is_told_and_is_no_damage(store: Store) -> None:
    [true] = await filled(store)
    made_up = true.model_copy(update={"version": 9, "head": "0" * 64})
    foreign = seal_record_batch(
        [b"{}"], chain=true.chain, after=Anchor(8, "0" * 64), at=true.at, key=FORGER
    )
    forged = [
        made_up,
        true.model_copy(update={"signature": b64encode(bytes(64)).decode()}),
        true.model_copy(update={"signature": "no base64"}),
        true.model_copy(update={"chain": "gateway-7"}),
        true.model_copy(update={"header": "{}"}),
        true.model_copy(
            update={
                "version": 9,
                "header": foreign.header.decode(),
                "head": hash_batch_header(foreign.header),
                "signature": b64encode(foreign.signature).decode(),
            }
        ),
    ]
    evidence = store.evidence([*forged, true])
    assert evidence.forged == forged
    [verdict] = await store.verdicts([*forged, true])
    assert (verdict.state, verdict.damage, verdict.doubts) == (ChainState.INTACT, [], [])


async def test_forged_anchors_alone_hold_nothing(store: Store) -> None:
    [true] = await filled(store)
    [verdict] = await store.verdicts([true.model_copy(update={"head": "0" * 64})])
    assert (verdict.state, verdict.damage) == (ChainState.NOT_PROVED, [])


async def test_anchor_of_the_first_form_that_agrees_holds_the_chain(store: Store) -> None:
    [true] = await filled(store)
    [verdict] = await store.verdicts([true.model_copy(update={"header": None})])
    assert (verdict.state, verdict.held_to) == (ChainState.INTACT, 3)


@pytest.mark.parametrize("other", [{"head": "0" * 64}, {"version": 9}])
async def test_anchor_of_the_first_form_that_contradicts_proves_neither(
    store: Store, other: dict[str, Any]
) -> None:
    [true] = await filled(store)
    unsigned = true.model_copy(update={"header": None, **other})
    [verdict] = await store.verdicts([true, unsigned])
    assert (verdict.state, verdict.damage, len(verdict.doubts)) == (ChainState.NOT_PROVED, [], 1)


async def test_chain_that_nothing_outside_holds_is_not_proved(store: Store) -> None:
    [true] = await filled(store)
    async with writing(store), writing(store) as other:
        await other.record(draft())
    assert [each.state for each in await store.verdicts()] == [ChainState.NOT_PROVED] * 2
    one, two = await store.verdicts([true])
    assert (one.state, one.held_to, one.newest) == (ChainState.INTACT, 3, 3)
    assert (two.state, two.held_to, two.newest) == (ChainState.NOT_PROVED, 0, 1)


async def test_chain_without_any_batch_needs_no_anchor(store: Store) -> None:
    [true] = await filled(store)
    async with writing(store), writing(store):
        pass
    assert [each.state for each in await store.verdicts([true])] == [ChainState.INTACT] * 2


async def test_verdict_says_up_to_where_the_chain_is_held(store: Store) -> None:
    [true] = await filled(store)
    async with writing(store) as ledger:
        await ledger.record(draft())
    [verdict] = await store.verdicts([true])
    assert verdict.list_report_lines()[0].endswith("held from outside up to batch 3 of 4")


async def test_resting_chains_are_told_again(store: Store) -> None:
    [true] = await filled(store)
    await store.rows("DELETE FROM outbox")
    async with open_database(make_settings(store.url)) as sessions, sessions.begin() as session:
        await anchor_all_chains(session)
    [row] = await store.rows("SELECT value FROM outbox")
    assert LedgerAnchored.model_validate_json(row["value"]) == true


async def keep_receipts(store: Store, file: Path, name: str = "") -> list[bytes]:
    """Write a receipt for each of three records, each in a batch of its own."""
    async with writing(store) as ledger:
        seals = [await ledger.record(draft(f"request-{number}")) for number in range(3)]
    lines = [write_receipt_value("1", bytes(16), each, completion=None) for each in seals]
    await asyncio.to_thread(
        file.write_bytes, b"".join(name.encode() + line + b"\n" for line in lines)
    )
    return lines


@pytest.mark.parametrize("name", ["", "X-Ledger-Receipt: ", "x-ledger-receipt:"])
async def test_cut_of_records_that_no_anchor_told_is_found_by_a_receipt(
    postgres: Databases, store: Store, tmp_path: Path, name: str
) -> None:
    kept = tmp_path / "receipts"
    await keep_receipts(store, kept, name)
    told = read_receipt_anchors(kept).anchors
    [verdict] = await store.verdicts(told)
    assert (verdict.state, verdict.held_to) == (ChainState.INTACT, 3)
    await tamper(postgres, store, "DELETE FROM access_record WHERE number = 3")
    await tamper(postgres, store, "DELETE FROM ledger_seal WHERE number = 3")
    await store.assert_intact()
    [verdict] = await store.verdicts(told)
    assert verdict.damage == [
        "gateway-1, batch 3: batch removed, and all before it back to the last one here"
    ]


async def test_forged_receipt_is_told_and_is_no_damage(store: Store, tmp_path: Path) -> None:
    kept = tmp_path / "receipts"
    *_, line = await keep_receipts(store, kept)
    signature = line.rpartition(b"signature=")[2]
    kept.write_bytes(line.replace(signature, b":%b:" % b64encode(bytes(64))))
    told = read_receipt_anchors(kept).anchors
    assert store.evidence(told).forged == told
    [verdict] = await store.verdicts(told)
    assert (verdict.state, verdict.damage) == (ChainState.NOT_PROVED, [])


@pytest.mark.parametrize(
    "line", [b"", b"head=:e30=:", b'record="1"', b"head=:%%:, signature=:AA==:"]
)
async def test_receipt_that_cannot_be_read_is_named_by_its_line(
    tmp_path: Path, line: bytes
) -> None:
    kept = tmp_path / "receipts"
    kept.write_bytes(b"\n" + line + b"\nnonsense\n")
    with pytest.raises(AnchorsUnreadableError, match=r"line [23] is no X-Ledger-Receipt"):
        read_receipt_anchors(kept)


async def test_command_says_what_is_proved_by_its_exit_code(
    postgres: Databases, store: Store, tmp_path: Path
) -> None:
    kept, given = tmp_path / "receipts", tmp_path / "given"
    await keep_receipts(store, kept)
    given.write_text("")

    async def run(*words: str) -> tuple[int, str]:
        done = await asyncio.to_thread(
            command, tmp_path, *words, key=store.key_text, DATABASE_URL=store.url
        )
        return done.returncode, done.stdout

    code, said = await run()
    assert (code, "nothing outside to hold it against" in said) == (2, True)
    assert said.endswith("3 records: NOT PROVED, 0 signed anchors from outside\n")
    code, said = await run("--receipts", str(kept))
    assert (code, said.splitlines()[-1]) == (0, "3 records: intact, 3 signed anchors from outside")
    forged = kept.read_bytes().replace(b"signature=:", b"signature=:AAAA")
    given.write_bytes(kept.read_bytes() + forged)
    code, said = await run("--receipts", str(given))
    assert (code, said.count("forged anchor, not signed by the ledger: 'gateway-1'")) == (0, 3)
    await tamper(postgres, store, "DELETE FROM access_record WHERE number = 3")
    assert (await run())[0] == 1


UNPROVEN: dict[str, dict[str, Any]] = {
    "signed by a foreign key": {},
    "of the first form": {"header": None},
    "of the first form, before the first batch": {"header": None, "version": 0},
}


@pytest.mark.parametrize("what", UNPROVEN)
async def test_anchor_that_no_trusted_key_signed_does_not_prove_an_emptied_ledger(
    store: Store, tmp_path: Path, what: str
) -> None:
    at = datetime(2026, 11, 30, tzinfo=UTC)
    kept = tmp_path / "anchors"
    foreign = make_anchor(FORGER, at).model_copy(update=UNPROVEN[what])
    kept.write_text(foreign.model_dump_json())
    done = await asyncio.to_thread(
        command, tmp_path, "--anchors", str(kept), key=store.key_text, DATABASE_URL=store.url
    )
    assert done.returncode == 2, done.stdout
    assert done.stdout.endswith("0 records: NOT PROVED, 0 signed anchors from outside\n")


async def test_command_counts_the_signed_anchors_and_accepts_those_of_the_first_form_that_agree(
    store: Store, tmp_path: Path
) -> None:
    [true] = await filled(store)
    kept = tmp_path / "anchors"
    foreign = make_anchor(FORGER, true.at)
    for unsigned, counted in ((True, 0), (False, 1)):
        own = true.model_copy(update={"header": None}) if unsigned else true
        kept.write_text(f"{own.model_dump_json()}\n{foreign.model_dump_json()}")
        done = await asyncio.to_thread(
            command, tmp_path, "--anchors", str(kept), key=store.key_text, DATABASE_URL=store.url
        )
        said = f"12 records: intact, {counted} signed anchors from outside"
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, said)


async def test_batch_before_the_first_proves_nothing_even_with_the_signature_of_the_ledger(
    store: Store, tmp_path: Path
) -> None:
    kept = tmp_path / "anchors"
    before = make_anchor(store.key, datetime(2026, 11, 30, tzinfo=UTC), after=-1)
    kept.write_text(before.model_dump_json())
    done = await asyncio.to_thread(
        command, tmp_path, "--anchors", str(kept), key=store.key_text, DATABASE_URL=store.url
    )
    assert done.returncode == 2, done.stdout
    assert done.stdout.endswith("0 records: NOT PROVED, 0 signed anchors from outside\n")


def make_anchor(key: Ed25519PrivateKey, at: datetime, *, after: int = 0) -> LedgerAnchored:
    place = Anchor(after, "0" * 64)
    batch = seal_record_batch([b"{}"], chain="gateway-1", after=place, at=at, key=key)
    return LedgerAnchored(
        chain="gateway-1",
        version=after + 1,
        head=hash_batch_header(batch.header),
        signature=b64encode(batch.signature).decode(),
        at=at,
        header=batch.header.decode(),
    )


async def test_ledger_that_was_emptied_is_not_intact(store: Store, tmp_path: Path) -> None:
    done = await asyncio.to_thread(command, tmp_path, key=store.key_text, DATABASE_URL=store.url)
    assert (done.returncode, done.stdout) == (
        2,
        "0 records: NOT PROVED, 0 signed anchors from outside\n",
    )
