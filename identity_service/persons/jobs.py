"""Delete the counts of misses that no longer limit a caller."""

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.persons.models import GuessCount
from shared.database.bulk import delete_in_slices


async def delete_expired_guesses(session: AsyncSession) -> None:
    ended = "expires_at < now() AND (blocked_until IS NULL OR blocked_until < now())"
    await delete_in_slices(session, GuessCount, ended)
