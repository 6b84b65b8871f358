"""What the axis is told of a chain, and what it can then prove."""

from base64 import b64encode

from gateway.ledger.seals import header_digest
from gateway.models import LedgerSeal
from shared.events import LedgerAnchored


def anchored(seal: LedgerSeal) -> LedgerAnchored:
    """`head` is the SHA-256 (hex) of the header, `version` its number."""
    return LedgerAnchored(
        chain=seal.chain,
        version=seal.number,
        head=header_digest(seal.header.encode()),
        signature=b64encode(seal.signature).decode(),
        at=seal.at,
    )
