"""The events of the gateway about its access ledger."""

from datetime import datetime
from typing import ClassVar

from shared.events.base import Event


class LedgerAnchored(Event):
    """The head of a chain of seals; a copy kept elsewhere proves a later cut or change.

    `head` is the SHA-256 (hex) of `header`, the exact text that `signature` (Ed25519, base64)
    signs, so an anchor is verified without the ledger. The oldest anchors have no `header`.
    """

    event_type: ClassVar[str] = "access.ledger.anchored.v1"
    topic: ClassVar[str] = "access.records.v1"
    publisher: ClassVar[str] = "gateway"
    key: ClassVar[str] = "chain"

    chain: str
    version: int
    head: str
    signature: str
    at: datetime
    header: str | None = None
