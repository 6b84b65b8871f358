from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.web.calls.auth import CallContext


class GivenGrants(Protocol):
    """Read and end the grants of clients; the feature `grants` implements it."""

    async def list_unlimited_grants(
        self, session: AsyncSession, clients: Collection[str]
    ) -> Mapping[UUID, str]:
        """Return the client of each unlimited grant in force, by the grant's id."""

    async def end_given_grants(
        self, session: AsyncSession, caller: CallContext, client_id: str, *, now: datetime
    ) -> Sequence[UUID]:
        """End the grants that the client gave to others, and all that rest on them; return ids."""
