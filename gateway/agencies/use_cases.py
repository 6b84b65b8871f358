"""Implement the use cases of agencies."""

from collections.abc import Iterable, Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.agencies import repository


async def list_agency_names(
    session: AsyncSession, codes: Iterable[str | None]
) -> Mapping[str, str]:
    """Return the name of each agency among `codes` that is known; None stands for no agency."""
    named = {code for code in codes if code is not None}
    return await repository.list_known_names(session, named) if named else {}
