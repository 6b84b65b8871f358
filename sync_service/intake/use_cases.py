"""Take pushes of other systems: full dossiers and their progress, with a result for each row."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.deferred import flush_deferred_writes
from shared.events import DossierSynced
from shared.messaging.outbox import publish_events
from shared.web.calls.auth import CallContext
from shared.web.calls.rights import Right
from shared.web.idempotency import IdempotencyClaim
from sync_service.agencies.terms import Terms
from sync_service.agencies.use_cases import is_catalogue_empty, list_agencies, list_procedure_terms
from sync_service.completeness.use_cases import record_push
from sync_service.indicators.use_cases import count_changes
from sync_service.intake import repository
from sync_service.intake.batches import PushBatch, TakenRow, make_progress_entry, make_row_entry
from sync_service.intake.models import HeldRow
from sync_service.intake.row_reading import (
    find_safe_code,
    read_dossier_row,
    read_progress_row,
    read_rows,
    refuse_outside,
)
from sync_service.intake.row_rules import (
    RowOutcome,
    RowRefusal,
    refuse_beyond_bound,
    refuse_beyond_bound_of_client,
    refuse_other_source,
)
from sync_service.intake.row_warnings import count_warnings, list_named_agencies, list_warnings
from sync_service.intake.schemas import (
    DossierPush,
    DossierRow,
    ProgressPush,
    ProgressRow,
    PushResults,
    RowResult,
)
from sync_service.national_view.state import DossierState, TimelineRow
from sync_service.national_view.use_cases import apply_changes, list_stored_entries, lock_states


async def push_dossiers(
    session: AsyncSession,
    push: DossierPush,
    *,
    caller: CallContext,
    idempotency: IdempotencyClaim,
    now: datetime,
) -> PushResults:
    """Take all rows in one transaction; a refused row does not affect the others."""
    readings = await read_rows(read_dossier_row, push.rows, caller.right, now)
    valid = [reading for reading in readings if isinstance(reading, DossierRow)]
    # This query runs before the locks, for which other pushes wait.
    terms = await list_procedure_terms(session, {row.procedure for row in valid})
    pushed = [
        reading.build_state(caller.client, terms.get(reading.procedure))
        if isinstance(reading, DossierRow)
        else reading
        for reading in readings
    ]
    warnings = await _find_warnings(session, pushed, terms)
    batch = PushBatch(caller.client, await lock_states(session, {row.code for row in valid}))
    await _find_stored_entries(
        session, batch, (make_row_entry(e) for e in pushed if isinstance(e, DossierState))
    )
    verdicts = [
        _take_row(batch, row, caller.right) if isinstance(row, DossierState) else row
        for row in pushed
    ]
    of_held = await _apply_held(session, batch)
    results = [
        _build_result(*parts, of_held) for parts in zip(push.rows, verdicts, warnings, strict=True)
    ]
    return await _publish_results(session, batch, idempotency, results, caller=caller, now=now)


async def _find_warnings(
    session: AsyncSession, pushed: Collection[DossierState | RowRefusal], terms: Terms
) -> list[list[str]]:
    """Return the warnings of each row; a refused one has none."""
    states = [row for row in pushed if isinstance(row, DossierState)]
    known = await list_agencies(
        session, {code for row in states for code in list_named_agencies(row)}
    )
    unknown = {row.procedure for row in states} - terms.keys()
    if unknown and await is_catalogue_empty(session):
        unknown = set()
    return [
        list_warnings(row, known=known, terms=terms, unknown_procedures=unknown)
        if isinstance(row, DossierState)
        else []
        for row in pushed
    ]


async def push_progress(
    session: AsyncSession,
    push: ProgressPush,
    *,
    caller: CallContext,
    idempotency: IdempotencyClaim,
    now: datetime,
) -> PushResults:
    """Take progress rows; one of an unknown dossier is held until its system pushes the dossier."""
    readings = await read_rows(read_progress_row, push.rows, caller.right, now)
    valid = [reading for reading in readings if isinstance(reading, ProgressRow)]
    known = await lock_states(session, {row.code for row in valid})
    # A dossier outside the right is treated as if it did not exist.
    reached = {
        code: state for code, state in known.items() if not refuse_outside(caller.right, state)
    }
    batch = PushBatch(caller.client, reached)
    unknown = [row for row in valid if row.code not in batch.before]
    beyond = await _hold_progress(session, caller.client, unknown)
    await _find_stored_entries(session, batch, (row.build_entry(caller.client) for row in valid))
    readings = [_refuse_foreign_progress(batch, reading, beyond) for reading in readings]
    verdicts = [
        batch.take_progress(reading.build_entry(caller.client))
        if isinstance(reading, ProgressRow)
        else reading
        for reading in readings
    ]
    results = [
        _build_result(row, verdict) for row, verdict in zip(push.rows, verdicts, strict=True)
    ]
    return await _publish_results(session, batch, idempotency, results, caller=caller, now=now)


async def _hold_progress(
    session: AsyncSession, source: str, rows: Iterable[ProgressRow]
) -> Mapping[HeldRow, RowRefusal]:
    """Hold the rows of one client; return a refusal for each row beyond a bound.

    The caller has locked the codes of the dossiers.
    """
    distinct = dict.fromkeys(_make_held_row(row, source) for row in rows)
    if not distinct:
        return {}
    known = await repository.list_stored_rows(session, distinct)
    if not (new := [row for row in distinct if row not in known]):
        return {}
    of_dossier = await repository.count_held_by_dossier(session, source, {row.code for row in new})
    of_client = await repository.count_held_of_client(session, source)
    refused, taken = dict[HeldRow, RowRefusal](), list[HeldRow]()
    for row in new:
        refusal = refuse_beyond_bound(of_dossier[row.code], row.status)
        if refusal or (refusal := refuse_beyond_bound_of_client(of_client + len(taken))):
            refused[row] = refusal
            continue
        of_dossier[row.code] += 1
        taken.append(row)
    await repository.add_held_rows(session, taken)
    return refused


def _make_held_row(row: ProgressRow, source: str) -> HeldRow:
    return HeldRow(row.code, source, row.source_time, row.status, row.step)


async def _find_stored_entries(
    session: AsyncSession, batch: PushBatch, entries: Iterable[TimelineRow]
) -> None:
    """Find the rows that are stored already; mostly none can be, and there is no query."""
    if doubtful := [entry for entry in entries if batch.may_be_stored(entry)]:
        batch.known = await list_stored_entries(session, doubtful)


def _take_row(batch: PushBatch, pushed: DossierState, right: Right) -> TakenRow | RowRefusal:
    current = batch.after.get(pushed.code)
    # A system may change its own dossier only while its right still covers the stored state.
    if current and current.source == batch.source and (beyond := refuse_outside(right, current)):
        return beyond
    return batch.take_row(pushed)


async def _apply_held(session: AsyncSession, batch: PushBatch) -> dict[str, set[str]]:
    """Apply the progress that waited for the new dossiers; return the warnings of each dossier."""
    if not (new := batch.after.keys() - batch.before.keys()):
        return {}
    # Held progress of other systems is dropped: they are not the authority for the dossier.
    return batch.take_held(
        make_progress_entry(held.code, held.at, held.status, held.detail, held.source)
        for held in await repository.take_held_rows(session, new)
        if held.source == batch.source
    )


def _refuse_foreign_progress(
    batch: PushBatch, reading: ProgressRow | RowRefusal, beyond: Mapping[HeldRow, RowRefusal]
) -> ProgressRow | RowRefusal:
    if isinstance(reading, RowRefusal):
        return reading
    if (current := batch.before.get(reading.code)) is None:
        return beyond.get(_make_held_row(reading, batch.source), reading)
    return refuse_other_source(current, batch.source) or reading


async def _publish_results(
    session: AsyncSession,
    batch: PushBatch,
    idempotency: IdempotencyClaim,
    results: list[RowResult],
    *,
    caller: CallContext,
    now: datetime,
) -> PushResults:
    """Publish and store the results of a push.

    `apply_changes` comes last, also after the stored response: other pushes wait for its locks.
    """
    await record_push(session, caller.agency, now)
    count_warnings(caller.agency, (warning for result in results for warning in result.warnings))
    publish_events(
        session,
        *(DossierSynced.model_validate(state.to_event_fields()) for state in batch.to_publish),
    )
    answer = idempotency.store_response(PushResults(results=results), HTTPStatus.OK)
    await flush_deferred_writes(session)
    await apply_changes(
        session, batch.before, batch.after, batch.entries, observers=(count_changes,)
    )
    return answer


def _build_result(
    row: Any,
    verdict: TakenRow | RowRefusal,
    warnings: Sequence[str] = (),
    of_held: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> RowResult:
    """Return the result of a row; one that released held progress has its warnings too."""
    if isinstance(verdict, TakenRow):
        all_warnings = [*warnings, *verdict.warnings]
        if verdict.outcome is RowOutcome.ACCEPTED:
            all_warnings += sorted(of_held.get(row["code"], ()))
        return RowResult(code=row["code"], outcome=verdict.outcome, warnings=all_warnings)
    return RowResult(
        code=find_safe_code(row),
        outcome=RowOutcome.REFUSED,
        reason=verdict.reason,
        detail=verdict.detail,
    )
