"""Delete the rows that expire beside the clients: each kind in a transaction of its own."""

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.clients import repository


async def delete_expired_assertions(session: AsyncSession) -> None:
    await repository.delete_expired_assertions(session)


async def delete_expired_proposals(session: AsyncSession) -> None:
    await repository.delete_expired_proposals(session)
