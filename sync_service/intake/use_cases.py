"""What other systems tell: whole dossiers and their progress; each row has its own answer."""

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
from shared.web.idempotency import Once
from sync_service.agencies.repository import find_terms
from sync_service.completeness.silent_agencies import note_heard
from sync_service.intake.batches import Intake, Taken, progress_word, word_of_progress, word_of_row
from sync_service.intake.repository import HeldRow, held_row, hold_progress
from sync_service.intake.row_reading import (
    read_dossier_row,
    read_progress_row,
    read_rows,
    refuse_outside,
    shown_code,
)
from sync_service.intake.row_rules import other_authority
from sync_service.intake.row_warnings import count_warnings, find_warnings
from sync_service.intake.schemas import DossierRow, ProgressRow, PushResults, RowResult
from sync_service.national_view.projections import lock_standings, take
from sync_service.national_view.repository import listings as store
from sync_service.national_view.state import Entry, Outcome, Refusal, Standing


async def push_dossiers(
    session: AsyncSession, caller: CallContext, once: Once, rows: Sequence[Any], now: datetime
) -> PushResults:
    """All rows in one transaction; a bad row is refused and leaves the others alone."""
    readings = await read_rows(read_dossier_row, rows, caller.right, now)
    good = [reading for reading in readings if isinstance(reading, DossierRow)]
    # Asked before the locks that other pushes wait for.
    terms = await find_terms(session, {row.procedure for row in good})
    unusual = iter(await find_warnings(session, good, terms))
    warnings = [next(unusual) if isinstance(each, DossierRow) else [] for each in readings]
    intake = Intake(caller.client, await lock_standings(session, {row.code for row in good}))
    told = [
        each.standing(caller.client, terms.get(each.procedure))
        if isinstance(each, DossierRow)
        else each
        for each in readings
    ]
    await _look_up(session, intake, (word_of_row(e) for e in told if isinstance(e, Standing)))
    verdicts = [
        _take_row(intake, each, caller.right) if isinstance(each, Standing) else each
        for each in told
    ]
    of_held = await _apply_held(session, intake)
    results = [_result(*each, of_held) for each in zip(rows, verdicts, warnings, strict=True)]
    return await _tell(session, intake, once, results, caller=caller, now=now)


async def push_progress(
    session: AsyncSession, caller: CallContext, once: Once, rows: Sequence[Any], now: datetime
) -> PushResults:
    """Progress of an unknown dossier is held, and applied when its system pushes the dossier."""
    readings = await read_rows(read_progress_row, rows, caller.right, now)
    good = [reading for reading in readings if isinstance(reading, ProgressRow)]
    known = await lock_standings(session, {row.code for row in good})
    # What lies outside the right is answered as if it were not there.
    reached = {c: each for c, each in known.items() if not refuse_outside(caller.right, each)}
    intake = Intake(caller.client, reached)
    unknown = [row for row in good if row.code not in intake.before]
    beyond = await hold_progress(session, caller.client, unknown)
    await _look_up(session, intake, (word_of_progress(row, caller.client) for row in good))
    readings = [_own_progress(intake, reading, beyond) for reading in readings]
    verdicts = [
        intake.take_progress(reading) if isinstance(reading, ProgressRow) else reading
        for reading in readings
    ]
    results = [_result(row, verdict) for row, verdict in zip(rows, verdicts, strict=True)]
    return await _tell(session, intake, once, results, caller=caller, now=now)


async def _look_up(session: AsyncSession, intake: Intake, words: Iterable[Entry]) -> None:
    """Find which words the timelines hold; mostly none can be there, and nothing is asked."""
    if doubtful := [word for word in words if intake.may_be_known(word)]:
        intake.known = await store.known_entries(session, doubtful)


def _take_row(intake: Intake, told: Standing, right: Right) -> Taken | Refusal:
    current = intake.after.get(told.code)
    # What it told once it may tell on only while its right reaches where the dossier stands.
    if current and current.source == intake.source and (beyond := refuse_outside(right, current)):
        return beyond
    return intake.take_row(told)


async def _apply_held(session: AsyncSession, intake: Intake) -> dict[str, set[str]]:
    """Take the progress that waited for the new dossiers; return the warnings of each."""
    if not (new := intake.after.keys() - intake.before.keys()):
        return {}
    # Another system is not the authority for the dossier: its progress goes unheard.
    return intake.take_held(
        progress_word(held.code, held.at, held.status, held.detail, held.source)
        for held in await store.take_held(session, new)
        if held.source == intake.source
    )


def _own_progress(
    intake: Intake, reading: ProgressRow | Refusal, beyond: Mapping[HeldRow, Refusal]
) -> ProgressRow | Refusal:
    if isinstance(reading, Refusal):
        return reading
    if (current := intake.before.get(reading.code)) is None:
        return beyond.get(held_row(reading, intake.source), reading)
    return other_authority(current, intake.source) or reading


async def _tell(
    session: AsyncSession,
    intake: Intake,
    once: Once,
    results: list[RowResult],
    *,
    caller: CallContext,
    now: datetime,
) -> PushResults:
    """Also remembers the answer: after `take`, whose locks others wait for, nothing is written."""
    await note_heard(session, caller.agency, now)
    count_warnings(caller.agency, (each for result in results for each in result.warnings))
    emit(session, *(DossierSynced.model_validate(each.synced()) for each in intake.told))
    answer = await once.remember(PushResults(results=results), HTTPStatus.OK)
    await flush_deferred_writes(session)
    await take(session, intake.before, intake.after, intake.entries)
    return answer


def _result(
    row: Any,
    verdict: Taken | Refusal,
    warnings: Sequence[str] = (),
    of_held: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> RowResult:
    """Return the answer to a row; the one that released held progress bears its warnings."""
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
