"""End grants; a grant that rests on another ends with it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.grants import repository
from identity_service.grants.models import Grant
from shared.messaging.outbox import publish_events
from shared.web.calls.auth import CallContext


async def end_grants(
    session: AsyncSession, caller: CallContext, ending: Sequence[Grant], *, now: datetime
) -> None:
    """Revoke the grants of `list_ending_grants`, at one instant."""
    for grant in ending:
        grant.revoke(by=caller.client, officer=caller.officer, at=now)
    await session.flush()
    publish_events(session, *(grant.build_event(now) for grant in ending))


async def list_ending_grants(session: AsyncSession, grants: Sequence[Grant]) -> Sequence[Grant]:
    """Return the grants and then, once each, all grants that rest on them at any depth."""
    ending = {grant.id: grant for grant in grants}
    added = list(ending)
    while added:
        resting = await repository.list_resting_grants(session, added)
        fresh = {grant.id: grant for grant in resting if grant.id not in ending}
        ending |= fresh
        added = list(fresh)
    return list(ending.values())


class StoredGrants:
    """Implement `GivenGrants` of the feature `clients` on the table of grants."""

    async def list_unlimited_grants(
        self, session: AsyncSession, clients: Collection[str]
    ) -> Mapping[UUID, str]:
        unlimited = await repository.list_unlimited_grants(session, clients)
        return {grant.id: grant.client_id for grant in unlimited}

    async def end_given_grants(
        self, session: AsyncSession, caller: CallContext, client_id: str, *, now: datetime
    ) -> Sequence[UUID]:
        grants = await repository.list_given_grants(session, client_id)
        ending = await list_ending_grants(session, grants)
        await end_grants(session, caller, ending, now=now)
        return [grant.id for grant in ending]
