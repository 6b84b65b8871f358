"""What other systems tell: whole dossiers and their progress; each row has its own answer."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.auth import CallContext, Right
from shared.deferred import flush_deferred_writes
from shared.events import DossierSynced
from shared.events.codes import CodeError, parse_dossier_code
from shared.idempotency import Once
from shared.outbox import emit
from shared.shapes import Shape
from shared.validation_messages import where_and_what
from sync_service import store
from sync_service.agencies import covers, today_form
from sync_service.models import HeldProgress
from sync_service.projections import lock_standings, take
from sync_service.schemas import (
    OWN_RULES,
    DossierRow,
    ProgressRow,
    PushResults,
    Row,
    RowResult,
)
from sync_service.sets import columns, insertion
from sync_service.silence import note_heard
from sync_service.standings import Entry, Outcome, Refusal, Standing, judge, other_authority

AnyRow = TypeVar("AnyRow", bound=Row)

DOSSIER_ROW = TypeAdapter(DossierRow)
PROGRESS_ROW = TypeAdapter(ProgressRow)
# A time further ahead is no clock that runs fast: it would make all that follows stale.
CLOCK_SLACK = timedelta(minutes=5)
# Of one row: the answer to a full push stays within bounds.
MAX_ROW_FAULTS = 3
# So many are validated on the event loop; more take too long, and go to a thread.
ROWS_ON_LOOP = 50
PROGRESSED, SYNCED = "progressed", "synced"
HELD = ("code", "source", "at", "status", "detail")


@dataclass
class Intake:
    """One batch of one client: where its dossiers stood, where they stand, what to tell of it."""

    source: str
    before: Mapping[str, Standing]
    after: dict[str, Standing] = field(init=False)
    entries: list[Entry] = field(default_factory=list)
    told: list[Standing] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.after = dict(self.before)

    def settle(self, standing: Standing) -> None:
        self.after[standing.code] = standing
        self.told.append(standing)


async def push_dossiers(
    session: AsyncSession, caller: CallContext, once: Once, rows: Sequence[Any], now: datetime
) -> PushResults:
    """All rows in one transaction; a bad row is refused and leaves the others alone."""
    readings = await _read_rows(DOSSIER_ROW, rows, now)
    readings = [_permitted(_issued(reading, caller.right), caller.right) for reading in readings]
    good = [reading for reading in readings if isinstance(reading, DossierRow)]
    intake = Intake(caller.client, await lock_standings(session, {row.code for row in good}))
    verdicts = [
        _take_row(intake, reading, caller.right) if isinstance(reading, DossierRow) else reading
        for reading in readings
    ]
    warnings = await _warnings(session, good)
    await _apply_held(session, intake)
    await note_heard(session, caller.agency, now)
    results = [_result(row, verdict, warnings) for row, verdict in zip(rows, verdicts, strict=True)]
    return await _tell(session, intake, once, results)


async def push_progress(
    session: AsyncSession, caller: CallContext, once: Once, rows: Sequence[Any], now: datetime
) -> PushResults:
    """Progress of an unknown dossier is held, and applied when its system pushes the dossier."""
    readings = await _read_rows(PROGRESS_ROW, rows, now)
    readings = [_issued(reading, caller.right) for reading in readings]
    good = [reading for reading in readings if isinstance(reading, ProgressRow)]
    known = await lock_standings(session, {row.code for row in good})
    # What lies outside the right is answered as if it were not there.
    reached = {code: each for code, each in known.items() if not _outside(caller.right, each)}
    intake = Intake(caller.client, reached)
    await _hold(session, caller.client, [row for row in good if row.code not in intake.before])
    readings = [_own_progress(intake, reading) for reading in readings]
    taken = [row for row in readings if isinstance(row, Row) and row.code in intake.before]
    intake.entries = [_progress(row, caller.client) for row in taken]
    fresh = set(intake.entries) - await store.known_entries(session, intake.entries)
    verdicts = [
        _take_progress(intake, reading, fresh) if isinstance(reading, ProgressRow) else reading
        for reading in readings
    ]
    await note_heard(session, caller.agency, now)
    results = [_result(row, verdict, {}) for row, verdict in zip(rows, verdicts, strict=True)]
    return await _tell(session, intake, once, results)


async def _read_rows(
    shape: TypeAdapter[AnyRow], rows: Sequence[Any], now: datetime
) -> list[AnyRow | Refusal]:
    def read() -> list[AnyRow | Refusal]:
        return [_read(shape, row, now) for row in rows]

    return read() if len(rows) <= ROWS_ON_LOOP else await asyncio.to_thread(read)


def _read(shape: TypeAdapter[AnyRow], row: Any, now: datetime) -> AnyRow | Refusal:
    try:
        read = shape.validate_python(row)
    except ValidationError as error:
        return _why(error, _shape(shape))
    if read.source_time > now + CLOCK_SLACK:
        return Refusal("source_time_ahead", "source_time lies ahead: set the sender's clock.")
    return read


@cache
def _shape(kind: TypeAdapter[Any]) -> Shape:
    schema = kind.json_schema()
    return Shape(schema, schema)


def _why(error: ValidationError, shape: Shape) -> Refusal:
    """Where and what, never the value: it may be somebody's name or number."""
    faults = error.errors(include_url=False, include_input=False)
    found = [where_and_what(each, shape) for each in faults[:MAX_ROW_FAULTS]]
    told = "; ".join(f"{each['at'] or 'row'}: {each['is']}" for each in found)
    if more := len(faults) - len(found):
        told += f"; and {more} more"
    rule = faults[0]["type"]
    return Refusal(rule if rule in OWN_RULES else "invalid_row", told)


def _issued(reading: AnyRow | Refusal, right: Right) -> AnyRow | Refusal:
    """Who issued a code tells of its dossier: naming oneself in it is no claim."""
    if isinstance(reading, Refusal) or covers(
        right.agencies, parse_dossier_code(reading.code).agency
    ):
        return reading
    return Refusal(
        "agency_not_covered",
        "Your right does not reach the agency in the dossier code: push only dossiers with codes "
        "that your own agencies issued, or ask the operator for a wider right.",
    )


def _permitted(reading: DossierRow | Refusal, right: Right) -> DossierRow | Refusal:
    return reading if isinstance(reading, Refusal) else _outside(right, reading) or reading


def _outside(right: Right, told: DossierRow | Standing) -> Refusal | None:
    if not any(covers(right.agencies, each) for each in (told.received_by, told.decided_by)):
        return Refusal(
            "agency_not_covered",
            "Your right reaches neither received_by nor decided_by: push only dossiers of your "
            "own agencies, or ask the operator for a wider right.",
        )
    if not right.covers_procedure(told.procedure):
        return Refusal("procedure_not_covered", "Your right does not reach this procedure.")
    return None


def _take_row(intake: Intake, row: DossierRow, right: Right) -> Outcome | Refusal:
    current = intake.after.get(row.code)
    # What it told once it may tell on only while its right reaches where the dossier stands.
    if current and current.source == intake.source and (beyond := _outside(right, current)):
        return beyond
    told = row.standing(intake.source, current.version + 1 if current else 1)
    verdict = judge(current, told)
    if verdict in {Outcome.ACCEPTED, Outcome.UPDATED}:
        intake.settle(told)
    if verdict in {Outcome.ACCEPTED, Outcome.UPDATED, Outcome.STALE}:
        intake.entries.append(
            Entry(row.code, row.source_time, SYNCED, row.status, "", intake.source)
        )
    return verdict


async def _warnings(session: AsyncSession, rows: Sequence[DossierRow]) -> dict[str, list[str]]:
    """By dossier. The registry may lag behind: an agency that it does not know is no fault."""
    named = {row.code: {today_form(row.received_by), today_form(row.decided_by)} for row in rows}
    known = await store.agencies(session, {code for codes in named.values() for code in codes})
    registered = {code for code, agency in known.items() if agency.name}
    return {code: ["agency_unknown"] for code, agencies in named.items() if agencies - registered}


async def _apply_held(session: AsyncSession, intake: Intake) -> None:
    if not (new := intake.after.keys() - intake.before.keys()):
        return
    for held in await store.take_held(session, intake.source, new):
        entry = Entry(held.code, held.at, PROGRESSED, held.status, held.detail, held.source)
        intake.entries.append(entry)
        current = intake.after[held.code]
        if held.at >= current.source_time:
            intake.settle(current.at_status(held.status, held.at))


async def _hold(session: AsyncSession, source: str, rows: Iterable[ProgressRow]) -> None:
    held = [(row.code, source, row.source_time, row.status, row.step) for row in rows]
    if held:
        await session.execute(_holding(), columns(HeldProgress, HELD, held))


@cache
def _holding() -> Insert:
    return insertion(HeldProgress, *HELD).on_conflict_do_nothing()


def _own_progress(intake: Intake, reading: ProgressRow | Refusal) -> ProgressRow | Refusal:
    if isinstance(reading, Refusal) or (current := intake.before.get(reading.code)) is None:
        return reading
    return other_authority(current, intake.source) or reading


def _progress(row: Row, source: str) -> Entry:
    step = row.step if isinstance(row, ProgressRow) else ""
    return Entry(row.code, row.source_time, PROGRESSED, row.status, step, source)


def _take_progress(intake: Intake, row: ProgressRow, fresh: set[Entry]) -> Outcome:
    if (current := intake.after.get(row.code)) is None:
        return Outcome.HELD
    entry = _progress(row, intake.source)
    if entry not in fresh:
        return Outcome.DUPLICATE
    fresh.discard(entry)
    # Systems push a dossier and its progress with one and the same time: the later word holds.
    if row.source_time < current.source_time:
        return Outcome.STALE
    intake.settle(current.at_status(row.status, row.source_time))
    return Outcome.UPDATED


async def _tell(
    session: AsyncSession, intake: Intake, once: Once, results: list[RowResult]
) -> PushResults:
    """Also remembers the answer: after `take`, whose locks others wait for, nothing is written."""
    emit(session, *(DossierSynced.model_validate(each.synced()) for each in intake.told))
    answer = await once.remember(PushResults(results=results), HTTPStatus.OK)
    await flush_deferred_writes(session)
    await take(session, intake.before, intake.after, intake.entries)
    return answer


def _result(row: Any, verdict: Outcome | Refusal, warnings: Mapping[str, list[str]]) -> RowResult:
    if isinstance(verdict, Outcome):
        code: str = row["code"]
        return RowResult(code=code, outcome=verdict, warnings=warnings.get(code, []))
    return RowResult(
        code=_shown_code(row),
        outcome=Outcome.REFUSED,
        reason=verdict.reason,
        detail=verdict.detail,
    )


def _shown_code(row: Any) -> str | None:
    """The code only where it is one: what stands in its place may be a personal number."""
    code = row.get("code") if isinstance(row, dict) else None
    try:
        parse_dossier_code(code if isinstance(code, str) else "")
    except CodeError:
        return None
    return code
