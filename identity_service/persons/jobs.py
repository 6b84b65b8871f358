"""Delete the counts of misses that no longer limit a caller."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.persons.guesses import counts


async def delete_expired_guesses(session: AsyncSession, *, now: datetime) -> None:
    await counts.delete_expired_guesses(session, now)
