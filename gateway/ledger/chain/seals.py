"""Seal batches of records: each has a Merkle root, a hash link and an Ed25519 signature."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict

from gateway.ledger.chain.keys import compute_key_id, encode_public_pem
from shared.crypto import merkle


class Anchor(NamedTuple):
    """A place in a chain: the number of a batch and the SHA-256 (hex) of its header."""

    number: int
    digest: str


START = Anchor(0, "0" * 64)


class BatchHeader(BaseModel):
    """The signed text. `root` and `previous` are lower-case hex, `at` is UTC in ISO 8601."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    chain: str
    number: int
    count: int
    root: str
    previous: str
    at: str
    key_id: str

    def canonical(self) -> bytes:
        return orjson.dumps(self.model_dump(), option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """A batch. Its `leaves` are stored as well, so that a damaged record can be named."""

    header: bytes
    signature: bytes
    leaves: tuple[bytes, ...]
    records: tuple[bytes, ...]

    def compute_own_anchor(self) -> Anchor:
        return Anchor(self.read_header().number, hash_batch_header(self.header))

    def read_header(self) -> BatchHeader:
        """Parse the header; raise pydantic.ValidationError where it is malformed."""
        return BatchHeader.model_validate_json(self.header)


class Bundle(BaseModel):
    """A record with everything that proves it, see docs/en/how-to/prove-an-access.md.

    `record` and `header` are the exact text that was hashed; `path` is hex, `signature` base64.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    record: str
    index: int
    path: list[str]
    header: str
    signature: str
    public_key: str


def hash_batch_header(header: bytes) -> str:
    return sha256(header).hexdigest()


def seal_record_batch(
    records: Sequence[bytes], *, chain: str, after: Anchor, at: datetime, key: Ed25519PrivateKey
) -> SealedBatch:
    """Return the sealed batch that follows `after` in its chain."""
    leaves = tuple(map(merkle.hash_leaf, records))
    header = BatchHeader(
        chain=chain,
        number=after.number + 1,
        count=len(records),
        root=merkle.compute_root(leaves).hex(),
        previous=after.digest,
        at=at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        key_id=compute_key_id(key.public_key()),
    ).canonical()
    return SealedBatch(header, key.sign(header), leaves, tuple(records))


def is_signed_by(key: Ed25519PublicKey, header: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, header)
    except InvalidSignature:
        return False
    return True


def prove_batch_record(batch: SealedBatch, index: int, key: Ed25519PublicKey) -> Bundle:
    """Return the proof of the record at `index`; raise IndexError where there is none."""
    return Bundle(
        record=batch.records[index].decode(),
        index=index,
        path=[sibling.hex() for sibling in merkle.compute_path(batch.leaves, index)],
        header=batch.header.decode(),
        signature=b64encode(batch.signature).decode(),
        public_key=encode_public_pem(key).decode(),
    )
