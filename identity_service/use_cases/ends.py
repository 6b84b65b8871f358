"""The end of grants: one that rests on another ends with it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service import store
from identity_service.models import Grant
from shared.auth import CallContext
from shared.outbox import emit


async def end_grants(
    session: AsyncSession, caller: CallContext, grants: Sequence[Grant], *, now: datetime
) -> Sequence[Grant]:
    """Revoke the grants and all that rest on them, at one instant; return these after those."""
    ended: list[Grant] = []
    ending = grants
    while ending:
        for grant in ending:
            grant.revoke(by=caller.client, officer=caller.officer, at=now)
        await session.flush()
        emit(session, *(grant.changed() for grant in ending))
        ended += ending
        ending = await store.list_resting(session, [grant.id for grant in ending])
    return ended
