"""Anchors of chains, judged by the key of the ledger before anything is held against them."""

from base64 import b64decode
from binascii import Error as BadBase64Error
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from gateway.ledger.chain.anchors import ToldAnchors
from gateway.ledger.chain.seals import BatchHeader, header_digest, signed_by
from shared.events import LedgerAnchored


class Held(NamedTuple):
    """The digest of a batch header as it is held apart from the ledger.

    `outside` is out of reach of those who write the database. `signed` anchors carry the header
    and its signature; those told before anchors carried them are believed where they agree.
    """

    number: int
    digest: str
    outside: bool
    signed: bool


class Evidence:
    """All anchors by chain, and those that the ledger's key did not sign.

    `unreadable` are the places of messages that hold no anchor: they prove nothing either.
    """

    def __init__(self) -> None:
        self.forged: list[LedgerAnchored] = []
        self.unreadable: list[str] = []
        self._held: dict[str, list[Held]] = defaultdict(list)

    def add(
        self, told: ToldAnchors, keys: Mapping[str, Ed25519PublicKey], *, outside: bool
    ) -> None:
        self.unreadable += told.unreadable
        for each in told.anchors:
            signed = each.header is not None
            if each.header is not None and not _proves(each, each.header, keys):
                self.forged.append(each)
                continue
            self._held[each.chain].append(Held(each.version, each.head, outside, signed))

    def chains(self) -> set[str]:
        return set(self._held)

    def of(self, chain: str) -> Mapping[int, Sequence[Held]]:
        found: dict[int, list[Held]] = defaultdict(list)
        for held in self._held.get(chain, ()):
            found[held.number].append(held)
        return found


def _proves(anchor: LedgerAnchored, text: str, keys: Mapping[str, Ed25519PublicKey]) -> bool:
    """Return whether the anchor says of `text` what is true, and a trusted key signed `text`."""
    try:
        header = BatchHeader.model_validate_json(text)
        signature = b64decode(anchor.signature, validate=True)
    except (ValidationError, BadBase64Error):
        return False
    key, told = keys.get(header.key_id), (anchor.chain, anchor.version, anchor.head)
    if key is None or told != (header.chain, header.number, header_digest(text.encode())):
        return False
    return signed_by(key, text.encode(), signature)
