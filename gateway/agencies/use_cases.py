"""Implement the use cases of agencies."""

from collections.abc import Iterable, Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.agencies import repository
from shared.codes.coverage import canonical_code


async def list_agency_names(
    session: AsyncSession, codes: Iterable[str | None]
) -> Mapping[str, str]:
    """Return the name of each agency among `codes` that is known; None stands for no agency.

    A record keeps the code of its time, which may have the older form.
    """
    named = {code: canonical_code(code) for code in codes if code is not None}
    if not named:
        return {}
    names = await repository.list_known_names(session, set(named.values()))
    return {code: names[known] for code, known in named.items() if known in names}
