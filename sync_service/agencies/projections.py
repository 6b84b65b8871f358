"""Store the agencies of the registry and the procedures of the catalogue from their events."""

from collections.abc import Sequence
from operator import attrgetter

from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.agency import canonical_agency_code
from shared.codes.coverage import rank_version
from shared.codes.procedure import canonical_procedure_code
from shared.events import AgencyChanged, ProcedurePublished
from sync_service.agencies import repository
from sync_service.agencies.hierarchy import list_up_to_country
from sync_service.agencies.terms import build_term

# Codes and the agency above each are stored in canonical form, versions as `rank_version` has them;
# all else is stored as it is published.
_published = attrgetter(*repository.PUBLISHED[2:])
_registered = attrgetter(*repository.REGISTERED[3:])


async def project_procedures(session: AsyncSession, events: Sequence[ProcedurePublished]) -> None:
    """Store the newest version of each procedure.

    Raise ValueError for a malformed code or term: stored, it would fail each push that names it.
    """
    newest: dict[str, tuple[int, ProcedurePublished]] = {}
    for event in events:
        code = canonical_procedure_code(event.code)
        rank = rank_version(event.code, event.version)
        build_term(event)
        if code not in newest or newest[code][0] <= rank:
            newest[code] = rank, event
    rows = [(code, rank, *_published(event)) for code, (rank, event) in sorted(newest.items())]
    await repository.upsert_procedures(session, rows)


async def project_agencies(session: AsyncSession, events: Sequence[AgencyChanged]) -> None:
    newest: dict[str, tuple[int, AgencyChanged]] = {}
    for event in events:
        code = canonical_agency_code(event.code)
        rank = rank_version(event.code, event.version)
        if code not in newest or newest[code][0] < rank:
            newest[code] = rank, event
    rows = [
        (code, list_up_to_country(code)[1], rank, *_registered(event))
        for code, (rank, event) in sorted(newest.items())
    ]
    await repository.upsert_agencies(session, rows)
