"""What the gateway tells about its access ledger."""

from datetime import datetime
from typing import ClassVar

from shared.events.base import Event


class LedgerAnchored(Event):
    """The head of a chain of seals at a time: whoever keeps it can prove a later cut or change."""

    event_type: ClassVar[str] = "access.ledger.anchored.v1"
    topic: ClassVar[str] = "access.records.v1"
    key: ClassVar[str] = "chain"

    chain: str
    version: int
    head: str
    signature: str
    at: datetime
