"""Take pushes of other systems: full dossiers and their progress, with a result for each row."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.deferred import flush_deferred_writes
from shared.events import DossierSynced
from shared.messaging.outbox import emit
from shared.web.calls.auth import CallContext
from shared.web.calls.rights import Right
from shared.web.idempotency import IdempotencyClaim
from sync_service.agencies.terms import Terms
from sync_service.agencies.use_cases import find_agencies, find_terms, is_catalogue_empty
from sync_service.completeness.use_cases import note_heard
from sync_service.indicators.use_cases import count_changes
from sync_service.intake import repository
from sync_service.intake.batches import Intake, Taken, progress_word, word_of_row
from sync_service.intake.models import HeldRow
from sync_service.intake.row_reading import (
    read_dossier_row,
    read_progress_row,
    read_rows,
    refuse_outside,
    shown_code,
)
from sync_service.intake.row_rules import (
    Outcome,
    Refusal,
    other_authority,
    refuse_beyond_bound,
    refuse_beyond_bound_of_client,
)
from sync_service.intake.row_warnings import count_warnings, find_warnings, named_agencies
from sync_service.intake.schemas import DossierRow, ProgressRow, PushResults, RowResult
from sync_service.national_view.state import Entry, Standing
from sync_service.national_view.use_cases import apply_changes, known_entries, lock_standings


async def push_dossiers(
    session: AsyncSession,
    caller: CallContext,
    idempotency: IdempotencyClaim,
    rows: Sequence[Any],
    now: datetime,
) -> PushResults:
    """Take all rows in one transaction; a refused row does not affect the others."""
    readings = await read_rows(read_dossier_row, rows, caller.right, now)
    good = [reading for reading in readings if isinstance(reading, DossierRow)]
    # This query runs before the locks, for which other pushes wait.
    terms = await find_terms(session, {row.procedure for row in good})
    told = [
        each.standing(caller.client, terms.get(each.procedure))
        if isinstance(each, DossierRow)
        else each
        for each in readings
    ]
    unusual = await _find_warnings(session, told, terms)
    intake = Intake(caller.client, await lock_standings(session, {row.code for row in good}))
    await _look_up(session, intake, (word_of_row(e) for e in told if isinstance(e, Standing)))
    verdicts = [
        _take_row(intake, each, caller.right) if isinstance(each, Standing) else each
        for each in told
    ]
    of_held = await _apply_held(session, intake)
    results = [_result(*each, of_held) for each in zip(rows, verdicts, unusual, strict=True)]
    return await _tell(session, intake, idempotency, results, caller=caller, now=now)


async def _find_warnings(
    session: AsyncSession, told: Collection[Standing | Refusal], terms: Terms
) -> list[list[str]]:
    """Return the warnings of each row; a refused one has none."""
    good = [each for each in told if isinstance(each, Standing)]
    known = await find_agencies(session, {code for each in good for code in named_agencies(each)})
    unknown = {each.procedure for each in good} - terms.keys()
    if unknown and await is_catalogue_empty(session):
        unknown = set()
    return [
        find_warnings(each, known=known, terms=terms, unknown_procedures=unknown)
        if isinstance(each, Standing)
        else []
        for each in told
    ]


async def push_progress(
    session: AsyncSession,
    caller: CallContext,
    idempotency: IdempotencyClaim,
    rows: Sequence[Any],
    now: datetime,
) -> PushResults:
    """Take progress rows; one of an unknown dossier is held until its system pushes the dossier."""
    readings = await read_rows(read_progress_row, rows, caller.right, now)
    good = [reading for reading in readings if isinstance(reading, ProgressRow)]
    known = await lock_standings(session, {row.code for row in good})
    # A dossier outside the right is treated as if it did not exist.
    reached = {c: each for c, each in known.items() if not refuse_outside(caller.right, each)}
    intake = Intake(caller.client, reached)
    unknown = [row for row in good if row.code not in intake.before]
    beyond = await _hold_progress(session, caller.client, unknown)
    await _look_up(session, intake, (row.word(caller.client) for row in good))
    readings = [_own_progress(intake, reading, beyond) for reading in readings]
    verdicts = [
        intake.take_progress(reading.word(caller.client))
        if isinstance(reading, ProgressRow)
        else reading
        for reading in readings
    ]
    results = [_result(row, verdict) for row, verdict in zip(rows, verdicts, strict=True)]
    return await _tell(session, intake, idempotency, results, caller=caller, now=now)


async def _hold_progress(
    session: AsyncSession, source: str, rows: Iterable[ProgressRow]
) -> Mapping[HeldRow, Refusal]:
    """Hold the rows of one client; return a refusal for each row beyond a bound.

    The caller has locked the codes of the dossiers.
    """
    distinct = dict.fromkeys(_held_row(row, source) for row in rows)
    if not distinct:
        return {}
    known = await repository.known_rows(session, distinct)
    if not (new := [row for row in distinct if row not in known]):
        return {}
    of_dossier = await repository.count_by_dossier(session, source, {row.code for row in new})
    of_client = await repository.count_of_client(session, source)
    refused, taken = dict[HeldRow, Refusal](), list[HeldRow]()
    for row in new:
        refusal = refuse_beyond_bound(of_dossier[row.code], row.status)
        if refusal or (refusal := refuse_beyond_bound_of_client(of_client + len(taken))):
            refused[row] = refusal
            continue
        of_dossier[row.code] += 1
        taken.append(row)
    await repository.add_held(session, taken)
    return refused


def _held_row(row: ProgressRow, source: str) -> HeldRow:
    return HeldRow(row.code, source, row.source_time, row.status, row.step)


async def _look_up(session: AsyncSession, intake: Intake, words: Iterable[Entry]) -> None:
    """Find the rows that are stored already; mostly none can be, and there is no query."""
    if doubtful := [word for word in words if intake.may_be_known(word)]:
        intake.known = await known_entries(session, doubtful)


def _take_row(intake: Intake, told: Standing, right: Right) -> Taken | Refusal:
    current = intake.after.get(told.code)
    # A system may change its own dossier only while its right still covers the stored state.
    if current and current.source == intake.source and (beyond := refuse_outside(right, current)):
        return beyond
    return intake.take_row(told)


async def _apply_held(session: AsyncSession, intake: Intake) -> dict[str, set[str]]:
    """Apply the progress that waited for the new dossiers; return the warnings of each dossier."""
    if not (new := intake.after.keys() - intake.before.keys()):
        return {}
    # Held progress of other systems is dropped: they are not the authority for the dossier.
    return intake.take_held(
        progress_word(held.code, held.at, held.status, held.detail, held.source)
        for held in await repository.take_held(session, new)
        if held.source == intake.source
    )


def _own_progress(
    intake: Intake, reading: ProgressRow | Refusal, beyond: Mapping[HeldRow, Refusal]
) -> ProgressRow | Refusal:
    if isinstance(reading, Refusal):
        return reading
    if (current := intake.before.get(reading.code)) is None:
        return beyond.get(_held_row(reading, intake.source), reading)
    return other_authority(current, intake.source) or reading


async def _tell(
    session: AsyncSession,
    intake: Intake,
    idempotency: IdempotencyClaim,
    results: list[RowResult],
    *,
    caller: CallContext,
    now: datetime,
) -> PushResults:
    """Publish and store the results of a push.

    `apply_changes` comes last, also after the stored response: other pushes wait for its locks.
    """
    await note_heard(session, caller.agency, now)
    count_warnings(caller.agency, (each for result in results for each in result.warnings))
    emit(session, *(DossierSynced.model_validate(each.synced()) for each in intake.told))
    answer = idempotency.store_response(PushResults(results=results), HTTPStatus.OK)
    await flush_deferred_writes(session)
    await apply_changes(
        session, intake.before, intake.after, intake.entries, observers=(count_changes,)
    )
    return answer


def _result(
    row: Any,
    verdict: Taken | Refusal,
    warnings: Sequence[str] = (),
    of_held: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> RowResult:
    """Return the result of a row; one that released held progress has its warnings too."""
    if isinstance(verdict, Taken):
        told = [*warnings, *verdict.warnings]
        if verdict.outcome is Outcome.ACCEPTED:
            told += sorted(of_held.get(row["code"], ()))
        return RowResult(code=row["code"], outcome=verdict.outcome, warnings=told)
    return RowResult(
        code=shown_code(row),
        outcome=Outcome.REFUSED,
        reason=verdict.reason,
        detail=verdict.detail,
    )
