"""Delete the rows that expire beside the clients."""

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.clients import repository


async def delete_expired_rows(session: AsyncSession) -> None:
    """Delete the used assertions and the proposals that have expired."""
    await repository.delete_expired_assertions(session)
    await repository.delete_expired_proposals(session)
