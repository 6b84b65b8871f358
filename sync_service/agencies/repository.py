"""The queries and statements of agencies and of published procedures."""

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.bulk import build_insert, column_arrays, get_table
from sync_service.agencies.models import Agency, CatalogueProcedure
from sync_service.database import any_text

PUBLISHED: Final = (
    "code",
    "version",
    "active",
    "term_duration",
    "term_unit",
    "term_same_day",
)
REGISTERED: Final = (
    "code",
    "above",
    "version",
    "name",
    "level",
    "valid_from",
    "valid_to",
    "successor",
)


async def upsert_procedures(session: AsyncSession, rows: Iterable[Sequence[object]]) -> None:
    """Store rows of PUBLISHED, except those that are older than the stored row."""
    await session.execute(
        _build_procedure_upsert(), column_arrays(CatalogueProcedure, PUBLISHED, rows)
    )


async def upsert_agencies(session: AsyncSession, rows: Iterable[Sequence[object]]) -> None:
    """Store rows of REGISTERED, except those that are no newer than the stored row."""
    await session.execute(_build_agency_upsert(), column_arrays(Agency, REGISTERED, rows))


@cache
def _build_procedure_upsert() -> Insert:
    statement = build_insert(CatalogueProcedure, *PUBLISHED)
    others = {name: statement.excluded[name] for name in PUBLISHED if name != "code"}
    # A version that is announced again has the same content, or corrects the stored row.
    newer = get_table(CatalogueProcedure).c.version <= statement.excluded.version
    return statement.on_conflict_do_update(index_elements=["code"], set_=others, where=newer)


@cache
def _build_agency_upsert() -> Insert:
    statement = build_insert(Agency, *REGISTERED)
    others = {name: statement.excluded[name] for name in REGISTERED if name != "code"}
    stored = get_table(Agency).c
    # A row without a name is of dossiers: any announced version is newer.
    newer = stored.name.is_(None) | (stored.version < statement.excluded.version)
    return statement.on_conflict_do_update(index_elements=["code"], set_=others, where=newer)


async def list_procedures(
    session: AsyncSession, codes: Collection[str]
) -> Sequence[CatalogueProcedure]:
    return (
        await session.scalars(
            select(CatalogueProcedure).where(CatalogueProcedure.code == any_text(codes))
        )
    ).all()


async def has_procedures(session: AsyncSession) -> bool:
    return bool(await session.scalar(select(exists(select(CatalogueProcedure.code)))))


async def list_agencies(session: AsyncSession, codes: Collection[str]) -> Sequence[Agency]:
    return (await session.scalars(select(Agency).where(Agency.code == any_text(codes)))).all()


async def list_agency_names(session: AsyncSession, codes: Collection[str]) -> dict[str, str | None]:
    query = select(Agency.code, Agency.name).where(Agency.code == any_text(codes))
    return {row.code: row.name for row in await session.execute(query)}
