"""Store the agencies of the registry and the procedures of the catalogue from their events."""

from collections.abc import Sequence
from operator import attrgetter

from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.agency import canonical_agency_code
from shared.codes.procedure import canonical_procedure_code
from shared.events import AgencyChanged, ProcedurePublished
from sync_service.agencies import repository
from sync_service.agencies.hierarchy import self_and_ancestors
from sync_service.agencies.terms import build_term

# Codes and the agency above each are stored in canonical form; all else as it is published.
_published = attrgetter(*repository.PUBLISHED[1:])
_registered = attrgetter(*repository.REGISTERED[2:])


async def project_procedures(session: AsyncSession, events: Sequence[ProcedurePublished]) -> None:
    """Store the newest version of each procedure.

    Raise ValueError for a malformed code or term: stored, it would fail each push that names it.
    """
    newest: dict[str, ProcedurePublished] = {}
    for event in events:
        code = canonical_procedure_code(event.code)
        build_term(event)
        if code not in newest or newest[code].version <= event.version:
            newest[code] = event
    rows = [(code, *_published(event)) for code, event in sorted(newest.items())]
    await repository.upsert_procedures(session, rows)


async def project_agencies(session: AsyncSession, events: Sequence[AgencyChanged]) -> None:
    newest: dict[str, AgencyChanged] = {}
    for event in events:
        code = canonical_agency_code(event.code)
        if code not in newest or newest[code].version < event.version:
            newest[code] = event
    rows = [
        (code, self_and_ancestors(code)[1], *_registered(event))
        for code, event in sorted(newest.items())
    ]
    await repository.upsert_agencies(session, rows)
