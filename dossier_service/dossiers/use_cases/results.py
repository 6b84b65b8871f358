"""The results of a dossier."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.catalogue.cache import ProcedureShelf
from dossier_service.dossiers.models import Dossier, DossierResult
from dossier_service.dossiers.problems import ResultCodeUnknown, ResultRefused, TooManyResults
from dossier_service.dossiers.schemas.requests import IssueResult
from dossier_service.dossiers.use_cases.changing import leave_step, read_to_change, version_kept
from dossier_service.dossiers.use_cases.history import step_of, tell
from shared.codes.enums import DossierStatus
from shared.events import ResultIssued
from shared.web.calls.auth import CallContext
from shared.web.etag import Condition

# Each answer about the dossier shows all of them, recalled ones too.
MAX_RESULTS: Final = 50


async def issue_result(
    session: AsyncSession,
    code: str,
    wish: IssueResult,
    *,
    caller: CallContext,
    expected: Condition,
    shelf: ProcedureShelf,
    now: datetime,
) -> Dossier:
    dossier = await read_to_change(session, code, caller, expected, to=DossierStatus.PROCESSED)
    if DossierStatus.PROCESSED not in dossier.permitted_statuses:
        raise ResultRefused(current=dossier.status)
    known = (await version_kept(session, shelf, dossier)).procedure.result_codes
    if known and wish.code not in known:
        raise ResultCodeUnknown(known=known)
    if len(dossier.results) >= MAX_RESULTS:
        raise TooManyResults(limit=MAX_RESULTS)
    now = dossier.begin_version(now)
    dossier.results.append(
        DossierResult(dossier=code, version=dossier.version, issued_at=now, **wish.model_dump())
    )
    leave_step(session, step_of(dossier, caller, "result_issued", now, step=wish.code))
    tell(session, ResultIssued, dossier, now, result=wish.code, electronic=wish.electronic)
    return dossier
