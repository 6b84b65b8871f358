"""The queries of agencies and of published procedures."""

from collections.abc import Collection, Sequence

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.agencies.models import Agency, CatalogueProcedure
from sync_service.database import any_text


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
