"""Delete the rows that expire beside the clients: each kind in a transaction of its own."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.clients import repository


async def delete_expired_assertions(session: AsyncSession, *, now: datetime) -> None:
    await repository.delete_expired_assertions(session, now)


async def delete_expired_proposals(session: AsyncSession, *, now: datetime) -> None:
    await repository.delete_expired_proposals(session, now)
