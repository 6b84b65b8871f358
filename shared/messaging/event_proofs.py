"""Proof that an event was published by the service that owns its topic.

The relay signs the root of a Merkle tree over each batch that it sends (Ed25519). Every message
carries in the header `proof`, in base64: the id of the key (32 bytes, the thumbprint of RFC 7638),
the signature (64), the place of the message in the batch and the size of the batch (4 each,
big-endian), and the siblings from its leaf to the root (32 each). A leaf commits to the topic, the
key, the value and every other header, so that no message can be changed, or moved to another
topic, key or id.
"""

import time
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from struct import Struct, pack
from typing import NamedTuple

import stamina
from aiokafka import ConsumerRecord
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.crypto.ed25519 import compute_key_id
from shared.crypto.merkle import (
    DIGEST_SIZE,
    compute_root_and_paths,
    compute_root_from_path,
    hash_leaf,
)
from shared.crypto.published_keys import KeysUnavailableError, PublishedKeys
from shared.events import OWNERS

PROOF = "proof"
SOURCE = "ce_source"
MAX_BATCH = 2**20
MAX_PROOF_BYTES = 2_048
MAX_CACHED_ROOTS = 1_000
_CONTEXT = b"lien-thong event batch 1\0"
_FIXED = Struct(">32s64sII")
_COUNT = Struct(">I")


class EventUnprovenError(Exception):
    """Nothing proves that the owner of the topic published this message."""


class TopicUnownedError(EventUnprovenError):
    """No service owns the topic."""


class SourceForeignError(EventUnprovenError):
    """`ce_source` does not name the service that owns the topic."""


class ProofMissingError(EventUnprovenError):
    """The message carries no proof, or more than one."""


class ProofMalformedError(EventUnprovenError):
    """The proof or the message does not have its prescribed form."""


class SignerUnknownError(EventUnprovenError):
    """The key is none of those that the owner of the topic publishes."""


class SignatureWrongError(EventUnprovenError):
    """The signature is not over a batch that holds this message."""


class Message(NamedTuple):
    """A message as its topic holds it, without the proof."""

    topic: str
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


def event_leaf(message: Message) -> bytes:
    """Return the leaf hash of topic, key, value, and name and content of each header.

    Before the parts stand their number and the length of each, in four bytes (big-endian); headers
    stand in the order of their names.
    """
    parts = [message.topic.encode(), message.key, message.value]
    for name, content in sorted(message.headers):
        parts += (name.encode(), content)
    lengths = pack(f">{len(parts) + 1}I", len(parts), *map(len, parts))
    return hash_leaf(b"".join((lengths, *parts)))


class EventSigner:
    """Sign the messages of one service with its private key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.kid = compute_key_id(key.public_key())
        self._raw_kid = urlsafe_b64decode(self.kid + "=")

    def prove(self, messages: Sequence[Message]) -> list[bytes]:
        """Return the header `proof` of each message of one batch."""
        if not messages:
            return []
        root, paths = compute_root_and_paths([event_leaf(message) for message in messages])
        count = len(messages)
        signature = self._key.sign(_build_statement(count, root))
        return [
            b64encode(b"".join((_FIXED.pack(self._raw_kid, signature, index, count), *path)))
            for index, path in enumerate(paths)
        ]


class EventVerifier:
    """Check messages against the keys of the service that owns their topic.

    A root whose signature was valid is cached, so that a batch costs one signature check.
    """

    def __init__(self, keys: Mapping[str, PublishedKeys]) -> None:
        """`keys` by the name of the service."""
        self._keys = keys
        self._held: OrderedDict[tuple[str, str, bytes, bytes], None] = OrderedDict()

    async def check(self, record: ConsumerRecord, arrived_at: float | None = None) -> None:
        """Raise EventUnprovenError, or KeysUnavailableError where no keys can be fetched.

        A key is unknown only where the owner did not publish it after `arrived_at`, by the
        monotonic clock (now, if None). Records that arrived together cost one request for keys.
        """
        owner = OWNERS.get(record.topic)
        if owner is None or owner not in self._keys:
            raise TopicUnownedError(record.topic)
        message, proof = _read_message(record)
        if (SOURCE, f"/{owner}".encode()) not in message.headers:
            raise SourceForeignError
        root = compute_root_from_path(event_leaf(message), proof.place, proof.size, proof.siblings)
        if root is None:
            raise SignatureWrongError
        # Look the key up each time: a cached root proves nothing once its key is withdrawn.
        since = time.monotonic() if arrived_at is None else arrived_at
        key = await self._keys[owner].get_current(proof.kid, since)
        if key is None or not isinstance(key.key, Ed25519PublicKey):
            raise SignerUnknownError
        self._check_signature(owner, key.key, proof, root)

    async def check_once_keys_answer(
        self, record: ConsumerRecord, arrived_at: float | None = None
    ) -> None:
        """Raise EventUnprovenError as `check` does; wait while the keys cannot be fetched."""
        try:
            await self.check(record, arrived_at)
        except KeysUnavailableError:
            # Only here: the retrying itself costs more than the check.
            await _wait_for_keys(self.check)(record, arrived_at)

    def _check_signature(
        self, owner: str, key: Ed25519PublicKey, proof: "_Proof", root: bytes
    ) -> None:
        statement = _build_statement(proof.size, root)
        held = (owner, proof.kid, statement, proof.signature)
        if held in self._held:
            return
        try:
            key.verify(proof.signature, statement)
        except InvalidSignature:
            raise SignatureWrongError from None
        self._held[held] = None
        if len(self._held) > MAX_CACHED_ROOTS:
            self._held.popitem(last=False)


# A message is unproven only where the keys of the owner could be fetched.
_wait_for_keys = stamina.retry(on=KeysUnavailableError, attempts=None, timeout=None, wait_max=2.0)


class _Proof(NamedTuple):
    kid: str
    signature: bytes
    place: int
    size: int
    siblings: Sequence[bytes]


def _build_statement(count: int, root: bytes) -> bytes:
    """Return the bytes that are signed."""
    return _CONTEXT + _COUNT.pack(count) + root


def _read_message(record: ConsumerRecord) -> tuple[Message, _Proof]:
    headers: list[tuple[str, bytes]] = []
    proofs: list[bytes] = []
    for name, content in record.headers:
        if not isinstance(content, bytes):
            raise ProofMalformedError
        if name == PROOF:
            proofs.append(content)
        else:
            headers.append((name, content))
    if len(proofs) != 1:
        raise ProofMissingError
    if record.key is None or record.value is None:
        raise ProofMalformedError
    return Message(record.topic, record.key, record.value, headers), _read_proof(proofs[0])


def _read_proof(content: bytes) -> _Proof:
    if len(content) > MAX_PROOF_BYTES:
        raise ProofMalformedError
    try:
        raw = b64decode(content, validate=True)
    except Base64Error:
        raise ProofMalformedError from None
    if len(raw) < _FIXED.size or (len(raw) - _FIXED.size) % DIGEST_SIZE:
        raise ProofMalformedError
    kid, signature, place, size = _FIXED.unpack_from(raw)
    if size > MAX_BATCH:
        raise ProofMalformedError
    siblings = [raw[at : at + DIGEST_SIZE] for at in range(_FIXED.size, len(raw), DIGEST_SIZE)]
    return _Proof(urlsafe_b64encode(kid)[:-1].decode(), signature, place, size, siblings)
