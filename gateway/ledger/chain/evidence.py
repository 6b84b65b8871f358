"""Check anchors with the keys of the ledger before a chain is compared with them."""

from base64 import b64decode
from binascii import Error as BadBase64Error
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from gateway.ledger.chain.anchors import PublishedAnchors
from gateway.ledger.chain.seals import BatchHeader, hash_batch_header, is_signed_by
from shared.events import LedgerAnchored

FIRST_BATCH = 1


class HeldAnchor(NamedTuple):
    """The digest of a batch header that is kept apart from the ledger.

    `outside` is true where no process that can write the database can change the anchor. A `signed`
    anchor carries the header with its signature. Older anchors carry neither, and count only where
    they agree with the chain.
    """

    number: int
    digest: str
    outside: bool
    signed: bool


class Evidence:
    """The anchors by chain, and those without a valid signature of the ledger's key.

    `unreadable` lists the places of messages without an anchor; they prove nothing.
    """

    def __init__(self) -> None:
        self.forged: list[LedgerAnchored] = []
        self.unreadable: list[str] = []
        self._held: dict[str, list[HeldAnchor]] = defaultdict(list)

    def add_published_anchors(
        self, published: PublishedAnchors, keys: Mapping[str, Ed25519PublicKey], *, outside: bool
    ) -> None:
        self.unreadable += published.unreadable
        for anchor in published.anchors:
            signed = anchor.header is not None
            if anchor.header is not None and not _is_signed_anchor(anchor, anchor.header, keys):
                self.forged.append(anchor)
                continue
            self._held[anchor.chain].append(
                HeldAnchor(anchor.version, anchor.head, outside, signed)
            )

    def count_signed_anchors(self) -> int:
        """Return the number of outside anchors of a batch that a trusted key signed."""
        held = (anchor for anchors in self._held.values() for anchor in anchors)
        return sum(
            anchor.outside and anchor.signed and anchor.number >= FIRST_BATCH for anchor in held
        )

    def list_chain_names(self) -> set[str]:
        return set(self._held)

    def list_chain_anchors(self, chain: str) -> Mapping[int, Sequence[HeldAnchor]]:
        anchors: dict[int, list[HeldAnchor]] = defaultdict(list)
        for anchor in self._held.get(chain, ()):
            anchors[anchor.number].append(anchor)
        return anchors


def _is_signed_anchor(
    anchor: LedgerAnchored, text: str, keys: Mapping[str, Ed25519PublicKey]
) -> bool:
    """Return whether the anchor agrees with the header `text`, and a trusted key signed `text`."""
    try:
        header = BatchHeader.model_validate_json(text)
        signature = b64decode(anchor.signature, validate=True)
    except (ValidationError, BadBase64Error):
        return False
    key, claimed = keys.get(header.key_id), (anchor.chain, anchor.version, anchor.head)
    if key is None or claimed != (header.chain, header.number, hash_batch_header(text.encode())):
        return False
    return is_signed_by(key, text.encode(), signature)
