"""Read one dossier, its history, or a list of dossiers."""

from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.catalogue.cache import ProcedureCache
from dossier_service.catalogue.procedure import Procedure
from dossier_service.dossiers.filters import DossierFilter, StepFilter
from dossier_service.dossiers.models import Dossier, DossierStep
from dossier_service.dossiers.purposes import require_purpose
from dossier_service.dossiers.repository import dossiers as repository
from dossier_service.dossiers.repository import listings as lists
from dossier_service.dossiers.use_cases.changing import (
    read_kept_procedure,
    require_dossier_purpose,
)
from shared.codes.dossier import DossierCode
from shared.codes.time import StoredInstant, day_in_viet_nam
from shared.web.calls.auth import CallContext
from shared.web.calls.rights import Codes, Right, unite_codes
from shared.web.pagination import PageParameters

_Version = Annotated[int, Field(ge=0, lt=2**31)]


async def read_whole_dossier(
    session: AsyncSession, code: str, *, caller: CallContext, procedures: ProcedureCache
) -> tuple[Dossier, Procedure]:
    dossier = await repository.read_whole_dossier(session, code, caller.right)
    require_dossier_purpose(caller, dossier)
    return dossier, await read_kept_procedure(session, procedures, dossier)


def list_shown_fields(dossier: Dossier, right: Right) -> Codes:
    """Return the fields that the alternatives of the right which reach the dossier show."""
    parties = (dossier.helped_by, dossier.received_by, dossier.decided_by)
    fields: Codes = frozenset()
    for limits in right.alternatives:
        if limits.covers(dossier.procedure, parties):
            fields = unite_codes(fields, limits.fields)
    return fields


async def list_steps(
    session: AsyncSession, code: str, page: PageParameters, *, caller: CallContext
) -> tuple[list[DossierStep], str | None]:
    keyset = StepFilter().read_keyset(page, code)
    procedure = await repository.read_dossier_procedure(session, code, caller.right)
    require_purpose(caller, procedure)
    after = keyset.key(_Version)
    rows = await repository.list_steps(
        session, code, after=after[0] if after else 0, limit=keyset.limit + 1
    )
    return keyset.cut(rows, lambda step: (step.version,))


async def list_dossiers(
    session: AsyncSession,
    filters: DossierFilter,
    page: PageParameters,
    *,
    caller: CallContext,
    now: datetime,
) -> tuple[list[Dossier], str | None]:
    keyset = filters.read_keyset(page)
    rows = await lists.list_dossiers(
        session,
        filters,
        caller.right,
        today=day_in_viet_nam(now),
        after=keyset.key(StoredInstant, DossierCode),
        limit=keyset.limit + 1,
    )
    return keyset.cut(rows, lambda dossier: (dossier.filed_at, dossier.code))
