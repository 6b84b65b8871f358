"""What the worker does by the clock."""

from sqlalchemy.ext.asyncio import AsyncSession

from gateway import store
from gateway.ledger.anchors import anchored
from shared.outbox import emit
from shared.worker import Timer

ANCHOR_SECONDS = 10.0


async def anchor_chains(session: AsyncSession) -> None:
    """Tell the head of each chain that moved: who keeps it can prove a later cut or change."""
    for seal in await store.moved_heads(session):
        emit(session, anchored(seal))
        await store.mark_anchored(session, seal)


TIMERS = (Timer(ANCHOR_SECONDS, anchor_chains),)
