"""Compare a chain with its seals, and name each record and batch that differs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from gateway.ledger.chain.seals import (
    START,
    Anchor,
    BatchHeader,
    SealedBatch,
    hash_batch_header,
    is_signed_by,
)
from shared.crypto import merkle


class FaultKind(StrEnum):
    RECORD_CHANGED = "record changed"
    RECORD_REMOVED = "record removed"
    RECORD_ADDED = "record added"
    RECORD_MOVED = "record moved"
    LEAVES_CHANGED = "leaf list changed"
    BATCH_FORGED = "batch changed or added without the key"
    BATCH_REPEATED = "batch number used twice"
    BATCH_MOVED = "batch out of order"
    BATCH_REMOVED = "batch removed"
    LINK_BROKEN = "batch does not follow the one before it"


@dataclass(frozen=True, slots=True)
class ChainFault:
    """A difference. `name` is the id of a record, or its place; empty for a whole batch."""

    batch: int
    kind: FaultKind
    name: str = ""


def verify_chain(
    batches: Iterable[SealedBatch],
    keys: Mapping[str, Ed25519PublicKey],
    *,
    chain: str,
    after: Anchor = START,
) -> list[ChainFault]:
    """Return every fault of the batches that follow `after`; `keys` are the trusted keys by key id.

    Only anchors kept elsewhere show that batches are missing at the end.
    """
    faults: list[ChainFault] = []
    headers: dict[int, tuple[BatchHeader, str]] = {}
    highest = after.number
    for batch in batches:
        header = _read_signed_header(batch, keys, chain)
        if header is None:
            faults.append(ChainFault(_read_claimed_number(batch), FaultKind.BATCH_FORGED))
            continue
        if header.number in headers:
            faults.append(ChainFault(header.number, FaultKind.BATCH_REPEATED))
            continue
        if header.number < highest:
            faults.append(ChainFault(header.number, FaultKind.BATCH_MOVED))
        highest = max(highest, header.number)
        headers[header.number] = (header, hash_batch_header(batch.header))
        faults += _list_record_faults(batch, header)
    return faults + _list_link_faults(headers, after)


def _read_signed_header(
    batch: SealedBatch, keys: Mapping[str, Ed25519PublicKey], chain: str
) -> BatchHeader | None:
    try:
        header = batch.read_header()
    except ValidationError:
        return None
    key = keys.get(header.key_id)
    signed = key is not None and is_signed_by(key, batch.header, batch.signature)
    return header if signed and header.chain == chain else None


def _read_claimed_number(batch: SealedBatch) -> int:
    """Return the number that an unsigned header claims; -1 where it cannot be read."""
    try:
        return batch.read_header().number
    except ValidationError:
        return -1


def _list_link_faults(
    headers: Mapping[int, tuple[BatchHeader, str]], after: Anchor
) -> list[ChainFault]:
    faults, last = [], max([after.number, *headers])
    digest: str | None = after.digest
    for number in range(after.number + 1, last + 1):
        if number not in headers:
            faults.append(ChainFault(number, FaultKind.BATCH_REMOVED))
            digest = None
            continue
        header, own_digest = headers[number]
        if digest is not None and header.previous != digest:
            faults.append(ChainFault(number, FaultKind.LINK_BROKEN))
        digest = own_digest
    return faults


def _list_record_faults(batch: SealedBatch, header: BatchHeader) -> list[ChainFault]:
    leaves = tuple(map(merkle.hash_leaf, batch.records))
    root = bytes.fromhex(header.root)
    if (
        leaves == batch.leaves
        and len(leaves) == header.count
        and merkle.compute_root(leaves) == root
    ):
        return []
    if len(batch.leaves) != header.count or merkle.compute_root(batch.leaves) != root:
        # Without a list of leaves that fits the seal, the changed record cannot be named.
        return [ChainFault(header.number, FaultKind.LEAVES_CHANGED)]
    return _compare_sealed_leaves(header.number, batch.leaves, leaves, batch.records)


def _compare_sealed_leaves(
    number: int, sealed: Sequence[bytes], leaves: Sequence[bytes], records: Sequence[bytes]
) -> list[ChainFault]:
    faults: list[ChainFault] = []
    missing, surplus = Counter(sealed) - Counter(leaves), Counter(leaves) - Counter(sealed)
    matcher = SequenceMatcher(a=sealed, b=leaves, autojunk=False)
    for tag, sealed_from, sealed_to, leaf_from, leaf_to in matcher.get_opcodes():
        if tag == "equal":
            continue
        gone = [place for place in range(sealed_from, sealed_to) if missing[sealed[place]]]
        new = [place for place in range(leaf_from, leaf_to) if surplus[leaves[place]]]
        moved = [place for place in range(leaf_from, leaf_to) if not surplus[leaves[place]]]
        changed = min(len(gone), len(new))
        faults += [
            *(
                ChainFault(number, FaultKind.RECORD_CHANGED, _name_record_place(records, p))
                for p in new[:changed]
            ),
            *(
                ChainFault(number, FaultKind.RECORD_ADDED, _name_record_place(records, p))
                for p in new[changed:]
            ),
            *(ChainFault(number, FaultKind.RECORD_REMOVED, f"place {p}") for p in gone[changed:]),
            *(
                ChainFault(number, FaultKind.RECORD_MOVED, _name_record_place(records, p))
                for p in moved
            ),
        ]
    return faults


def _name_record_place(records: Sequence[bytes], place: int) -> str:
    """Return the id of the record, or its place where a change made it unreadable.

    A line break in an id would add a line to the report, so such an id is quoted.
    """
    try:
        name = str(orjson.loads(records[place])["id"])
        return name if name.isprintable() else repr(name)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"place {place}"
