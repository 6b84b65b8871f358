"""Progress of dossiers that are not yet known, held until their system pushes them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, Select, String, and_, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.database import table
from sync_service.intake.models import HeldProgress
from sync_service.intake.row_rules import refuse_beyond_bound
from sync_service.intake.schemas import ProgressRow
from sync_service.national_view.state import Refusal
from sync_service.sets import columns, given, insertion

# The held rows of one client. Pushes that run at the same time may each go one push beyond it.
MAX_HELD_ROWS = 20_000


class HeldRow(NamedTuple):
    """The key of a held row."""

    code: str
    source: str
    at: datetime
    status: int
    detail: str


def held_row(row: ProgressRow, source: str) -> HeldRow:
    return HeldRow(row.code, source, row.source_time, row.status, row.step)


async def hold_progress(
    session: AsyncSession, source: str, rows: Iterable[ProgressRow]
) -> Mapping[HeldRow, Refusal]:
    """Hold the rows of one client; return a refusal for each row beyond a bound.

    The caller has locked the codes of the dossiers.
    """
    distinct = dict.fromkeys(held_row(row, source) for row in rows)
    if not distinct:
        return {}
    known = await _known_rows(session, distinct)
    if not (new := [row for row in distinct if row not in known]):
        return {}
    of_dossier = await _count_by_dossier(session, source, {row.code for row in new})
    of_client = await _count_of_client(session, source)
    refused, taken = dict[HeldRow, Refusal](), list[HeldRow]()
    for row in new:
        refusal = refuse_beyond_bound(of_dossier[row.code], row.status)
        if refusal or (refusal := _refuse_beyond_bound_of_client(of_client + len(taken))):
            refused[row] = refusal
            continue
        of_dossier[row.code] += 1
        taken.append(row)
    await session.execute(_holding(), columns(HeldProgress, HeldRow._fields, taken))
    return refused


def _refuse_beyond_bound_of_client(held: int) -> Refusal | None:
    if held < MAX_HELD_ROWS:
        return None
    return Refusal(
        "too_many_held",
        f"{MAX_HELD_ROWS} progress rows of this client are held, the most that are: push the "
        "dossiers that they belong to, then send this row again.",
    )


async def _known_rows(session: AsyncSession, rows: Collection[HeldRow]) -> set[HeldRow]:
    found = await session.execute(_finding_known(), columns(HeldProgress, HeldRow._fields, rows))
    return {HeldRow._make(row) for row in found}


async def _count_by_dossier(
    session: AsyncSession, source: str, codes: Collection[str]
) -> Counter[str]:
    held = HeldProgress
    named = held.code == any_(bindparam(None, sorted(codes), type_=ARRAY(String)))
    counts = select(held.code, func.count().label("held")).where(held.source == source, named)
    rows = await session.execute(counts.group_by(held.code))
    return Counter({row.code: row.held for row in rows})


async def _count_of_client(session: AsyncSession, source: str) -> int:
    counting = select(func.count()).select_from(HeldProgress).where(HeldProgress.source == source)
    return (await session.scalars(counting)).one()


@cache
def _finding_known() -> Select[Any, Any]:
    rows, kept = given(HeldProgress, *HeldRow._fields), table(HeldProgress).c
    same = and_(*(kept[name] == rows.c[name] for name in HeldRow._fields))
    return select(*(kept[name] for name in HeldRow._fields)).join(rows, same)


@cache
def _holding() -> Insert:
    return insertion(HeldProgress, *HeldRow._fields).on_conflict_do_nothing()
