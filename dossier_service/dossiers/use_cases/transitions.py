"""The transitions of a dossier, and its progress between them."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.catalogue.cache import ProcedureShelf
from dossier_service.dossiers.models import Dossier
from dossier_service.dossiers.problems import (
    FeeOpen,
    ReasonMissing,
    ResultMissing,
    TermCaseRefused,
    TransitionRefused,
)
from dossier_service.dossiers.repository import dossiers as store
from dossier_service.dossiers.schemas.requests import MoveDossier, NoteProgress
from dossier_service.dossiers.term_cases import choose_term_case
from dossier_service.dossiers.use_cases.changing import (
    leave_step,
    read_to_change,
    refuse_too_many_changes,
    version_kept,
)
from dossier_service.dossiers.use_cases.deadlines import extend_by_wait, start_clock
from dossier_service.dossiers.use_cases.history import step_of, tell
from shared.codes.enums import ENDED, DossierStatus
from shared.codes.reason import Reason
from shared.events import DossierMoved, DossierProgressed
from shared.rules.deadlines import reception_due_at
from shared.rules.statuses import is_final, needs_reason
from shared.web.calls.auth import CallContext
from shared.web.etag import Condition


async def move_dossier(
    session: AsyncSession,
    code: str,
    wish: MoveDossier,
    *,
    caller: CallContext,
    expected: Condition,
    shelf: ProcedureShelf,
    now: datetime,
) -> Dossier:
    dossier = await read_to_change(session, code, caller, expected, to=wish.to)
    to = _permitted_status(dossier, wish)
    _refuse_open_fees(dossier, to)
    if to is DossierStatus.PROCESSED:
        await _refuse_without_result(session, dossier, shelf)
    is_reception = to is DossierStatus.RECEIVED and dossier.received_at is None
    if wish.term_case is not None and not is_reception:
        raise TermCaseRefused(current=dossier.status, asked=to)
    now = dossier.begin_version(now)
    previous = dossier.status
    extend_by_wait(dossier, to, now)
    if is_reception:
        await _receive(session, dossier, shelf, term_case=wish.term_case, now=now)
    else:
        _mind_deadlines(dossier, to, now)
    _enter(dossier, to, wish, now)
    store.restate_parties(session, dossier)
    what = {"from_status": previous, "reason": wish.reason, "note": wish.note}
    leave_step(session, step_of(dossier, caller, "moved", now, **what))
    tell(session, DossierMoved, dossier, now, previous=previous, reason=wish.reason)
    return dossier


async def note_progress(
    session: AsyncSession,
    code: str,
    wish: NoteProgress,
    *,
    caller: CallContext,
    expected: Condition,
    now: datetime,
) -> Dossier:
    dossier = await read_to_change(session, code, caller, expected)
    if is_final(dossier.status):
        raise TransitionRefused(current=dossier.status, asked=dossier.status, permitted=[])
    refuse_too_many_changes(dossier)
    now = dossier.begin_version(now)
    dossier.note = wish.note or dossier.note
    leave_step(session, step_of(dossier, caller, "progressed", now, step=wish.step, note=wish.note))
    tell(session, DossierProgressed, dossier, now, step=wish.step)
    return dossier


def _permitted_status(dossier: Dossier, wish: MoveDossier) -> DossierStatus:
    following = dossier.permitted_statuses
    if wish.to not in following:
        # A number that is no status is not repeated: it may be somebody's.
        asked: dict[str, Any] = {"asked": wish.to} if wish.to in set(DossierStatus) else {}
        raise TransitionRefused(current=dossier.status, permitted=sorted(following), **asked)
    to = DossierStatus(wish.to)
    if needs_reason(dossier.status, to) and wish.reason is None:
        raise ReasonMissing(current=dossier.status, asked=to, known=list(Reason))
    if to not in ENDED:
        refuse_too_many_changes(dossier)
    return to


def _refuse_open_fees(dossier: Dossier, to: DossierStatus) -> None:
    """What must be paid before holds it back at 6 and from handling; any fee, from its return."""
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


async def _refuse_without_result(
    session: AsyncSession, dossier: Dossier, shelf: ProcedureShelf
) -> None:
    if any(result.recalled_at is None for result in dossier.results):
        return
    procedure = (await version_kept(session, shelf, dossier)).procedure
    if procedure.requires_result:
        raise ResultMissing(known=procedure.result_codes)


async def _receive(
    session: AsyncSession,
    dossier: Dossier,
    shelf: ProcedureShelf,
    *,
    term_case: str | None,
    now: datetime,
) -> None:
    """Start the clock by the version in force at this moment, and by the case that is named."""
    published = await shelf.current(session, dossier.procedure)
    assert published is not None, "a procedure is never taken out"
    filed_under = (await version_kept(session, shelf, dossier)).procedure
    dossier.term_case = choose_term_case(
        term_case,
        dossier.term_case,
        dossier.channel,
        filed_under=filed_under,
        in_force=published.procedure,
    )
    dossier.procedure_version = published.version
    dossier.received_at = now
    # Those before are not of the handling, which the term and the figures judge.
    dossier.requests = 0
    start_clock(dossier, published.procedure)


def _mind_deadlines(dossier: Dossier, to: DossierStatus, now: datetime) -> None:
    match dossier.status, to:
        case DossierStatus.PAYMENT_REQUIRED, DossierStatus.REGISTERED:
            paid = [fee.paid_at for fee in dossier.fees if fee.paid_at]
            dossier.reception_due_at = reception_due_at(max(paid, default=now))
        case DossierStatus.PROCESSED, DossierStatus.PROCESSING:
            _recall_results(dossier, now)


def _recall_results(dossier: Dossier, now: datetime) -> None:
    """What was recalled does not answer the dossier a second time: it needs a new result."""
    for result in dossier.results:
        result.recalled_at = result.recalled_at or now


def _enter(dossier: Dossier, to: DossierStatus, wish: MoveDossier, now: datetime) -> None:
    dossier.previous_status, dossier.status = dossier.status, to
    dossier.moved_at, dossier.reason, dossier.note = now, wish.reason, wish.note
    dossier.requests += to is DossierStatus.SUPPLEMENT_REQUESTED
    if to not in ENDED:
        dossier.finished_at = None
    elif to is not DossierStatus.RETURNED:
        # The return of a result, or of papers after a withdrawal or a stop, is no second end.
        dossier.finished_at = now
