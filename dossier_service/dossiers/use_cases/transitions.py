"""Move a dossier from status to status, and note its progress between them."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.catalogue.cache import ProcedureCache
from dossier_service.catalogue.procedure import Procedure
from dossier_service.dossiers.models import Dossier
from dossier_service.dossiers.problems import (
    FeeOpen,
    ReasonMissing,
    ResultMissing,
    TermCaseRefused,
    TransitionRefused,
)
from dossier_service.dossiers.repository import dossiers as repository
from dossier_service.dossiers.schemas.requests import MoveDossier, NoteProgress
from dossier_service.dossiers.term_cases import choose_term_case
from dossier_service.dossiers.use_cases.changing import (
    read_dossier_to_change,
    read_kept_procedure,
    record_step,
    require_change_allowed,
)
from dossier_service.dossiers.use_cases.deadlines import extend_deadline_by_wait, set_due_dates
from dossier_service.dossiers.use_cases.history import history_entry, publish_change
from shared.codes.enums import ENDED, DossierStatus
from shared.codes.reason import Reason
from shared.events import DossierMoved, DossierProgressed
from shared.rules.deadlines import reception_due_at
from shared.rules.statuses import is_final, needs_reason
from shared.web.calls.auth import CallContext
from shared.web.etag import Precondition


async def move_dossier(
    session: AsyncSession,
    code: str,
    move: MoveDossier,
    *,
    caller: CallContext,
    expected_version: Precondition,
    procedures: ProcedureCache,
    now: datetime,
) -> tuple[Dossier, Procedure]:
    dossier = await read_dossier_to_change(session, code, caller, expected_version, to=move.to)
    to = _require_permitted_status(dossier, move)
    _require_paid_fees(dossier, to)
    if to is DossierStatus.PROCESSED:
        await _require_valid_result(session, dossier, procedures)
    is_reception = to is DossierStatus.RECEIVED and dossier.received_at is None
    if move.term_case is not None and not is_reception:
        raise TermCaseRefused(current=dossier.status, asked=to)
    now = dossier.begin_version(now)
    previous = dossier.status
    extend_deadline_by_wait(dossier, to, now)
    if is_reception:
        await _receive_dossier(session, dossier, procedures, term_case=move.term_case, now=now)
    else:
        _apply_other_effects(dossier, to, now)
    _enter_status(dossier, to, move, now)
    repository.defer_party_update(session, dossier)
    fields = {"from_status": previous, "reason": move.reason, "note": move.note}
    record_step(session, history_entry(dossier, caller, "moved", now, **fields))
    publish_change(session, DossierMoved, dossier, now, previous=previous, reason=move.reason)
    return dossier, await read_kept_procedure(session, procedures, dossier)


async def note_progress(
    session: AsyncSession,
    code: str,
    progress: NoteProgress,
    *,
    caller: CallContext,
    expected_version: Precondition,
    procedures: ProcedureCache,
    now: datetime,
) -> tuple[Dossier, Procedure]:
    dossier = await read_dossier_to_change(session, code, caller, expected_version)
    if is_final(dossier.status):
        raise TransitionRefused(current=dossier.status, asked=dossier.status, permitted=[])
    require_change_allowed(dossier)
    now = dossier.begin_version(now)
    dossier.note = progress.note or dossier.note
    record_step(
        session,
        history_entry(dossier, caller, "progressed", now, step=progress.step, note=progress.note),
    )
    publish_change(session, DossierProgressed, dossier, now, step=progress.step)
    return dossier, await read_kept_procedure(session, procedures, dossier)


def _require_permitted_status(dossier: Dossier, move: MoveDossier) -> DossierStatus:
    following = dossier.permitted_statuses
    if move.to not in following:
        # A number that is no status is not repeated: it may be somebody's.
        named_status: dict[str, Any] = {"asked": move.to} if move.to in set(DossierStatus) else {}
        raise TransitionRefused(current=dossier.status, permitted=sorted(following), **named_status)
    to = DossierStatus(move.to)
    if needs_reason(dossier.status, to) and move.reason is None:
        raise ReasonMissing(current=dossier.status, asked=to, known=list(Reason))
    if to not in ENDED:
        require_change_allowed(dossier)
    return to


def _require_paid_fees(dossier: Dossier, to: DossierStatus) -> None:
    """Raise FeeOpen: unpaid `before` fees block leaving status 6 and any processing.

    Any unpaid fee blocks the return of the result.
    """
    is_open = [fee for fee in dossier.fees if fee.paid_at is None]
    match dossier.status, to:
        case DossierStatus.PAYMENT_REQUIRED, _ if to is dossier.previous_status:
            holding = [fee for fee in is_open if fee.when == "before"]
        case _, DossierStatus.PROCESSING | DossierStatus.PROCESSED:
            holding = [fee for fee in is_open if fee.when == "before"]
        case DossierStatus.PROCESSED, DossierStatus.RETURNED:
            holding = is_open
        case _:
            holding = []
    if holding:
        fees = [{"code": fee.code, "amount_vnd": fee.amount_vnd} for fee in holding]
        raise FeeOpen(current=dossier.status, asked=to, fees=fees)


async def _require_valid_result(
    session: AsyncSession, dossier: Dossier, procedures: ProcedureCache
) -> None:
    if any(result.recalled_at is None for result in dossier.results):
        return
    procedure = await read_kept_procedure(session, procedures, dossier)
    if procedure.requires_result:
        raise ResultMissing(known=procedure.result_codes)


async def _receive_dossier(
    session: AsyncSession,
    dossier: Dossier,
    procedures: ProcedureCache,
    *,
    term_case: str | None,
    now: datetime,
) -> None:
    """Start the clock by the version in force at this moment, and by the case that is named."""
    published = await procedures.find_current(session, dossier.procedure)
    assert published is not None, "a procedure is never taken out"
    filed_under = await read_kept_procedure(session, procedures, dossier)
    dossier.term_case = choose_term_case(
        term_case,
        dossier.term_case,
        dossier.channel,
        filed_under=filed_under,
        in_force=published.procedure,
    )
    dossier.procedure_version = published.version
    dossier.received_at = now
    # Requests before the reception do not count: term and indicators judge the handling alone.
    dossier.requests = 0
    set_due_dates(dossier, published.procedure)


def _apply_other_effects(dossier: Dossier, to: DossierStatus, now: datetime) -> None:
    match dossier.status, to:
        case DossierStatus.PAYMENT_REQUIRED, DossierStatus.REGISTERED:
            paid = [fee.paid_at for fee in dossier.fees if fee.paid_at]
            dossier.reception_due_at = reception_due_at(max(paid, default=now))
        case DossierStatus.PROCESSED, DossierStatus.PROCESSING:
            _recall_results(dossier, now)


def _recall_results(dossier: Dossier, now: datetime) -> None:
    """Mark the results as recalled: the dossier needs a new result to end again."""
    for result in dossier.results:
        result.recalled_at = result.recalled_at or now


def _enter_status(dossier: Dossier, to: DossierStatus, move: MoveDossier, now: datetime) -> None:
    dossier.previous_status, dossier.status = dossier.status, to
    dossier.moved_at, dossier.reason, dossier.note = now, move.reason, move.note
    dossier.requests += to is DossierStatus.SUPPLEMENT_REQUESTED
    if to not in ENDED:
        dossier.finished_at = None
    elif to is not DossierStatus.RETURNED:
        # The return of a result, or of papers after a withdrawal or a stop, is no second end.
        dossier.finished_at = now
