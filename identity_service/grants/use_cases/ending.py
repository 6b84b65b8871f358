"""The end of grants: one that rests on another ends with it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.grants import repository as grant_store
from identity_service.grants.models import Grant
from shared.messaging.outbox import emit
from shared.web.calls.auth import CallContext


async def end_grants(
    session: AsyncSession, caller: CallContext, ending: Sequence[Grant], *, now: datetime
) -> None:
    """Revoke the grants of `list_ending`, at one instant."""
    for grant in ending:
        grant.revoke(by=caller.client, officer=caller.officer, at=now)
    await session.flush()
    emit(session, *(grant.changed() for grant in ending))


async def list_ending(session: AsyncSession, grants: Sequence[Grant]) -> Sequence[Grant]:
    """Return the grants and after them, once each, all that rest on them at any depth."""
    ending = {grant.id: grant for grant in grants}
    added = list(ending)
    while added:
        resting = await grant_store.list_resting(session, added)
        fresh = {grant.id: grant for grant in resting if grant.id not in ending}
        ending |= fresh
        added = list(fresh)
    return list(ending.values())
