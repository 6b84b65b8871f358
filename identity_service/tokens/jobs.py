"""Delete the signing keys that no token needs."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.settings import MAX_TOKEN_S
from identity_service.tokens.signing_keys import JWKS_S, delete_replaced_keys

RETENTION_REPLACED_KEYS: Final = timedelta(seconds=MAX_TOKEN_S + JWKS_S)


async def delete_expired_keys(session: AsyncSession, *, now: datetime) -> None:
    """Delete each key that was replaced so long ago that its tokens and caches have expired."""
    await delete_replaced_keys(session, before=now - RETENTION_REPLACED_KEYS)
