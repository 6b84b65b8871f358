"""Publish the heads of the ledger's chains."""

from base64 import b64encode

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.ledger import repository
from gateway.ledger.chain.seals import hash_batch_header
from gateway.ledger.models import LedgerSeal
from shared.events import LedgerAnchored
from shared.messaging.outbox import publish_events


async def anchor_chains(session: AsyncSession) -> None:
    """Publish the head of each chain that grew: a copy kept elsewhere proves a later cut."""
    for seal in await repository.list_moved_heads(session):
        publish_events(session, build_anchor_event(seal))
        await repository.mark_head_anchored(session, seal)


async def anchor_all_chains(session: AsyncSession) -> None:
    """Publish the head of each chain again, also of a chain that did not grow.

    Retention would otherwise remove the only outside anchor of such a chain from the broker.
    """
    for seal in await repository.list_chain_heads(session):
        publish_events(session, build_anchor_event(seal))


def build_anchor_event(seal: LedgerSeal) -> LedgerAnchored:
    """Return the event of the head of a chain.

    `head` is the SHA-256 (hex) of the header, `version` its number, `signature` that of the seal.
    """
    return LedgerAnchored(
        chain=seal.chain,
        version=seal.number,
        head=hash_batch_header(seal.header.encode()),
        signature=b64encode(seal.signature).decode(),
        at=seal.at,
        header=seal.header,
    )
