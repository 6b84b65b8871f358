"""The queries and statements of held progress."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, and_, delete, func, select
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.bulk import build_insert, column_arrays, get_table, unnested_rows
from sync_service.database import any_text
from sync_service.intake.models import HeldProgress, HeldRow


async def add_held_rows(session: AsyncSession, rows: Iterable[HeldRow]) -> None:
    await session.execute(_build_held_insert(), column_arrays(HeldProgress, HeldRow._fields, rows))


async def take_held_rows(session: AsyncSession, codes: Collection[str]) -> Sequence[HeldRow]:
    """Delete and return the held progress of these dossiers, of all clients."""
    held = HeldProgress
    key = [get_table(held).c[name] for name in HeldRow._fields]
    taken = await session.execute(delete(held).where(held.code == any_text(codes)).returning(*key))
    return [HeldRow._make(row) for row in taken]


async def delete_expired_rows(session: AsyncSession, days: int) -> int:
    """Delete the rows that were held for more than `days`; return their number."""
    old = HeldProgress.held_at < func.now() - timedelta(days=days)
    dropped = await session.scalars(delete(HeldProgress).where(old).returning(HeldProgress.code))
    return len(dropped.all())


async def list_stored_rows(session: AsyncSession, rows: Collection[HeldRow]) -> set[HeldRow]:
    stored = await session.execute(
        _build_stored_query(), column_arrays(HeldProgress, HeldRow._fields, rows)
    )
    return {HeldRow._make(row) for row in stored}


async def count_held_by_dossier(
    session: AsyncSession, source: str, codes: Collection[str]
) -> Counter[str]:
    held = HeldProgress
    named = held.code == any_text(codes)
    counts = select(held.code, func.count().label("held")).where(held.source == source, named)
    rows = await session.execute(counts.group_by(held.code))
    return Counter({row.code: row.held for row in rows})


async def count_held_of_client(session: AsyncSession, source: str) -> int:
    counting = select(func.count()).select_from(HeldProgress).where(HeldProgress.source == source)
    return (await session.scalars(counting)).one()


@cache
def _build_stored_query() -> Select[Any, Any]:
    rows, stored = unnested_rows(HeldProgress, *HeldRow._fields), get_table(HeldProgress).c
    same = and_(*(stored[name] == rows.c[name] for name in HeldRow._fields))
    return select(*(stored[name] for name in HeldRow._fields)).join(rows, same)


@cache
def _build_held_insert() -> Insert:
    return build_insert(HeldProgress, *HeldRow._fields).on_conflict_do_nothing()
