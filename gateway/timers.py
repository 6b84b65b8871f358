"""What the worker does by the clock."""

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.ledger import repository as store
from gateway.ledger.chain.anchors import anchored
from shared.messaging.outbox import emit
from shared.runtime.worker import Timer

ANCHOR_SECONDS = 10.0
DAY_SECONDS = 86_400.0


async def anchor_chains(session: AsyncSession) -> None:
    """Publish the head of each chain that moved: a copy kept elsewhere proves a later cut."""
    for seal in await store.moved_heads(session):
        emit(session, anchored(seal))
        await store.mark_anchored(session, seal)


async def anchor_all_chains(session: AsyncSession) -> None:
    """Publish the head of each chain again, also where it rests.

    A broker that forgets would else leave a resting chain without any anchor outside.
    """
    for seal in await store.heads(session):
        emit(session, anchored(seal))


TIMERS = (Timer(ANCHOR_SECONDS, anchor_chains), Timer(DAY_SECONDS, anchor_all_chains))
