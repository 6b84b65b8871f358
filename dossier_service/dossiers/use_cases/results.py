"""Issue the results of a dossier."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.catalogue.cache import ProcedureCache
from dossier_service.catalogue.procedure import Procedure
from dossier_service.dossiers.models import Dossier, DossierResult
from dossier_service.dossiers.problems import ResultCodeUnknown, ResultRefused, TooManyResults
from dossier_service.dossiers.schemas.requests import IssueResult
from dossier_service.dossiers.use_cases.changing import (
    read_dossier_to_change,
    read_kept_procedure,
    record_step,
)
from dossier_service.dossiers.use_cases.history import history_entry, publish_change
from shared.codes.enums import DossierStatus
from shared.events import ResultIssued
from shared.web.calls.auth import CallContext
from shared.web.etag import Precondition

# Each answer about the dossier shows all of them, recalled ones too.
MAX_RESULTS: Final = 50


async def issue_result(
    session: AsyncSession,
    code: str,
    issue: IssueResult,
    *,
    caller: CallContext,
    expected_version: Precondition,
    procedures: ProcedureCache,
    now: datetime,
) -> tuple[Dossier, Procedure]:
    dossier = await read_dossier_to_change(
        session, code, caller, expected_version, to=DossierStatus.PROCESSED
    )
    if DossierStatus.PROCESSED not in dossier.permitted_statuses:
        raise ResultRefused(current=dossier.status)
    procedure = await read_kept_procedure(session, procedures, dossier)
    known = procedure.result_codes
    if known and issue.code not in known:
        raise ResultCodeUnknown(known=known)
    if len(dossier.results) >= MAX_RESULTS:
        raise TooManyResults(limit=MAX_RESULTS)
    now = dossier.begin_version(now)
    dossier.results.append(
        DossierResult(dossier=code, version=dossier.version, issued_at=now, **issue.model_dump())
    )
    record_step(session, history_entry(dossier, caller, "result_issued", now, step=issue.code))
    publish_change(
        session, ResultIssued, dossier, now, result=issue.code, electronic=issue.electronic
    )
    return dossier, procedure
