"""The terms of dossiers that were pushed before the catalogue told of their procedure."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.agencies.repository import find_terms
from sync_service.national_view.models import LACKS_TERM
from sync_service.national_view.projections import lock_standings, take

BATCH_SIZE = 500

# A localised procedure counts before its national one, as in `find_terms`. Dossiers of before the
# column have their end already, without the waits.
_WITHOUT_TERM: Final = text(
    f"""
    SELECT dossier.code FROM national_dossier AS dossier
        LEFT JOIN procedure AS own ON own.code = dossier.procedure
        LEFT JOIN procedure AS national ON national.code = dossier.national_procedure
    WHERE {LACKS_TERM} AND (latest_at IS NOT NULL
        OR CASE WHEN own.code IS NULL THEN national.term_duration ELSE own.term_duration END > 0)
    ORDER BY dossier.code LIMIT {BATCH_SIZE}
    """  # noqa: S608 -- only constants of the code are put in
)


async def find_missing_terms(session: AsyncSession) -> int:
    """Judge a batch of dossiers by the term that is published by now; return how many."""
    codes = (await session.scalars(_WITHOUT_TERM)).all()
    if not codes:
        return 0
    before = await lock_standings(session, codes)
    terms = await find_terms(session, {each.procedure for each in before.values()})
    after = {code: each.with_term(terms.get(each.procedure)) for code, each in before.items()}
    await take(session, before, after, ())
    return sum(after[code] != each for code, each in before.items())
