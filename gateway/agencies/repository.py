"""Query the agencies."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.agencies.models import KnownAgency


async def list_known_names(session: AsyncSession, codes: Collection[str]) -> dict[str, str]:
    """Return the name of each agency among `codes` that is known."""
    named = select(KnownAgency.code, KnownAgency.name).where(KnownAgency.code.in_(codes))
    return dict((await session.execute(named)).all())
