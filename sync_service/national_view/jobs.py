"""Set the terms of dossiers that were pushed before their procedure was published."""

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.agencies.use_cases import list_procedure_terms
from sync_service.national_view.repository import states
from sync_service.national_view.use_cases import Observer, apply_changes, lock_states

BATCH_SIZE = 500


async def set_missing_terms(session: AsyncSession, *, observers: Collection[Observer]) -> int:
    """Set the terms of a batch of dossiers whose procedure is published by now; return how many."""
    codes = await states.list_codes_without_term(session, BATCH_SIZE)
    if not codes:
        return 0
    before = await lock_states(session, codes)
    terms = await list_procedure_terms(session, {state.procedure for state in before.values()})
    after = {code: state.with_term(terms.get(state.procedure)) for code, state in before.items()}
    await apply_changes(session, before, after, (), observers=observers)
    return sum(after[code] != state for code, state in before.items())
