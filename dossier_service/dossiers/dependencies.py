"""The dependencies of the routes of dossiers.

All are `async`, because FastAPI gives a thread to each dependency that is not.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Query, Request

from dossier_service.dossiers.filing_limiter import FilingLimiter
from dossier_service.dossiers.filters import DossierFilters
from dossier_service.dossiers.schemas.requests import FileDossier
from dossier_service.dossiers.use_cases.filing import FilingRules
from shared.codes.agency import AgencyCode, canonical_agency_code
from shared.codes.dossier import DOSSIER_CODE_LAYOUTS
from shared.codes.enums import Channel, DossierStatus
from shared.codes.procedure import ProcedureCode
from shared.web.bodies.strict_parsing import IsoDay
from shared.web.calls.auth import Caller


async def _make_filing_rules(request: Request) -> FilingRules:
    settings = request.app.state.settings
    return FilingRules(
        layout=DOSSIER_CODE_LAYOUTS[settings.dossier_code_layout],
        person_key=settings.person_hash_key.get_secret_value().encode(),
    )


FilingRulesDep = Annotated[FilingRules, Depends(_make_filing_rules)]


async def _limit_filing(
    request: Request, _: Caller, body: FileDossier
) -> AsyncIterator[FileDossier]:
    limiter: FilingLimiter = request.app.state.filing_limiter
    async with limiter.hold_slot(canonical_agency_code(body.received_by)):
        yield body


# This dependency precedes the session, so that a waiting filing holds no connection.
LimitedFiling = Annotated[FileDossier, Depends(_limit_filing, scope="function")]


async def _make_list_filters(
    *,
    status: DossierStatus | None = None,
    procedure: ProcedureCode | None = None,
    agency: Annotated[AgencyCode | None, Query(description="it or one below it takes part")] = None,
    channel: Channel | None = None,
    filed_from: IsoDay | None = None,
    filed_to: Annotated[IsoDay | None, Query(description="this day included")] = None,
    due_before: Annotated[IsoDay | None, Query(description="only what is unfinished")] = None,
    overdue: Annotated[
        bool | None,
        Query(
            description="open and late; while it waits for papers, late when they were requested"
        ),
    ] = None,
) -> DossierFilters:
    return DossierFilters(
        status=status,
        procedure=procedure,
        agency=agency,
        channel=channel,
        filed_from=filed_from,
        filed_to=filed_to,
        due_before=due_before,
        overdue=overdue,
    )


DossierFiltersDep = Annotated[DossierFilters, Depends(_make_list_filters)]
