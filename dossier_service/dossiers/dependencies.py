"""The dependencies of the routes of dossiers.

All are `async`, because FastAPI gives a thread to each dependency that is not.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request

from dossier_service.dossiers.filing_limiter import FilingLimiter
from dossier_service.dossiers.schemas.requests import FileDossier
from dossier_service.dossiers.use_cases.filing import FilingRules
from shared.codes.dossier import DOSSIER_CODE_LAYOUTS
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
    async with limiter.hold_slot(body.receiving_agency):
        yield body


# This dependency precedes the session, so that a waiting filing holds no connection.
LimitedFiling = Annotated[FileDossier, Depends(_limit_filing, scope="function")]
