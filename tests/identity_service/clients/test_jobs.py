"""What expires beside the clients is deleted by the time that the timer gives."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.clients.jobs import delete_expired_assertions, delete_expired_proposals
from identity_service.clients.models import Proposal, UsedAssertion

# Long ago, so that the clocks of this machine and of the database would delete all.
NOW = datetime(2020, 2, 29, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ENDS = {"ended": NOW - SECOND, "ends now": NOW, "alive": NOW + SECOND}


async def list_assertions(session: AsyncSession) -> Sequence[str]:
    query = select(UsedAssertion.jti).where(UsedAssertion.client_id == "x")
    return (await session.scalars(query.order_by(UsedAssertion.expires_at))).all()


async def list_proposals(session: AsyncSession) -> Sequence[str]:
    query = select(Proposal.about).where(Proposal.target == "x")
    return (await session.scalars(query.order_by(Proposal.expires_at))).all()


async def add_expiring_rows(session: AsyncSession) -> None:
    for name, ends in ENDS.items():
        session.add(UsedAssertion(client_id="x", jti=name, expires_at=ends))
        session.add(
            Proposal(
                target="x",
                act="add-key",
                about=name,
                proposed_by="operator-vpcp",
                proposed_at=ends - timedelta(days=1),
                expires_at=ends,
            )
        )
    await session.flush()


async def test_used_assertions_are_deleted_once_they_have_expired(undone: AsyncSession) -> None:
    await add_expiring_rows(undone)
    await delete_expired_assertions(undone, now=NOW)
    assert await list_assertions(undone) == ["ends now", "alive"]
    assert await list_proposals(undone) == list(ENDS)
    await delete_expired_assertions(undone, now=NOW + SECOND)
    assert await list_assertions(undone) == ["alive"]


async def test_proposals_are_deleted_once_they_have_expired(undone: AsyncSession) -> None:
    await add_expiring_rows(undone)
    await delete_expired_proposals(undone, now=NOW)
    assert await list_proposals(undone) == ["ends now", "alive"]
    assert await list_assertions(undone) == list(ENDS)
    await delete_expired_proposals(undone, now=NOW + SECOND)
    assert await list_proposals(undone) == ["alive"]
