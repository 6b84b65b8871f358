"""Store the agencies of the registry and the procedures of the catalogue from their events.

Codes and the agency above each are stored in canonical form, versions as `rank_version` has them;
all else is stored as it is published.
"""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.coverage import make_version_columns, rank_version
from shared.codes.procedure import canonical_procedure_code
from shared.database.bulk import upsert_if_newer
from shared.events import AgencyChanged, ProcedurePublished
from sync_service.agencies.hierarchy import list_up_to_country
from sync_service.agencies.models import Agency, CatalogueProcedure
from sync_service.agencies.terms import build_term


async def upsert_procedures(session: AsyncSession, events: Sequence[ProcedurePublished]) -> None:
    """Store the newest version of each procedure.

    Raise ValueError for a malformed code or term: stored, it would fail each push that names it.
    """
    rows = []
    for event in events:
        build_term(event)
        code = canonical_procedure_code(event.code)
        version = rank_version(event.code, event.version)
        rows.append(event.model_dump() | {"code": code, "version": version})
    # A version that is announced again has the same content, or corrects the stored row.
    await upsert_if_newer(session, CatalogueProcedure, "code", rows, or_same=True)


async def upsert_agencies(session: AsyncSession, events: Sequence[AgencyChanged]) -> None:
    rows = []
    for event in events:
        columns = make_version_columns(event.code, event.version)
        above = list_up_to_country(event.code)[1]
        rows.append(event.model_dump() | columns | {"above": above})
    # A row without a name is of dossiers.
    await upsert_if_newer(session, Agency, "code", rows, unset="name")
