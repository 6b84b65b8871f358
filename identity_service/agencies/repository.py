"""The queries of agencies.

A row that the caller may not see is not found: `within` names the agencies that its right covers.
"""

from collections.abc import Collection
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.agencies.models import Agency
from identity_service.agencies.schemas import AgencyFilter
from identity_service.database import Within, is_within
from shared.codes.agency import AgencyCode
from shared.codes.folding import fold_bare


async def list_agencies(session: AsyncSession, asked: AgencyFilter, within: Within) -> list[Agency]:
    query = select(Agency).where(is_within(Agency.code, within))
    if after := asked.paging.key(AgencyCode):
        query = query.where(Agency.code > after[0])
    if asked.level:
        query = query.where(Agency.level == asked.level)
    if asked.parent:
        query = query.where(Agency.parent == asked.parent)
    if asked.q:
        named = Agency.search_name.contains(fold_bare(asked.q), autoescape=True)
        query = query.where(or_(named, Agency.code == asked.q, Agency.old_code == asked.q))
    if asked.on:
        query = query.where(_existing_on(asked.on))
    query = query.order_by(Agency.code).limit(asked.limit + 1)
    return list((await session.scalars(query)).all())


def _existing_on(day: date) -> ColumnElement[bool]:
    open_end = or_(Agency.valid_to.is_(None), Agency.valid_to >= day)
    return (Agency.valid_from <= day) & open_end


async def get_agency(session: AsyncSession, code: str, within: Within = None) -> Agency | None:
    query = select(Agency).where(Agency.code == code, is_within(Agency.code, within))
    return await session.scalar(query)


async def get_agencies(
    session: AsyncSession, codes: Collection[str], within: Within
) -> dict[str, Agency]:
    query = select(Agency).where(Agency.code.in_(codes), is_within(Agency.code, within))
    found = await session.scalars(query)
    return {agency.code: agency for agency in found}


async def add_agency(session: AsyncSession, **columns: Any) -> Agency | None:
    """None where one with its code is there already."""
    new = insert(Agency).values(columns).on_conflict_do_nothing()
    return await session.scalar(new.returning(Agency))
