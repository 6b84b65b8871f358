"""Query and store agencies.

`within` holds the agencies that the caller's right covers; an agency outside them is not found.
"""

from collections.abc import Collection
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.agencies.models import Agency
from identity_service.database import Within, build_within_condition
from shared.codes.coverage import canonical_code
from shared.codes.persons.folding import fold_bare


async def list_agencies(
    session: AsyncSession,
    within: Within,
    *,
    after: str | None,
    limit: int,
    level: str | None,
    parent: str | None,
    text: str | None,
    day: date | None,
) -> list[Agency]:
    query = select(Agency).where(build_within_condition(Agency.code, within))
    if after:
        query = query.where(Agency.code > after)
    if level:
        query = query.where(Agency.level == level)
    if parent:
        query = query.where(Agency.parent == parent)
    if text:
        named = Agency.search_name.contains(fold_bare(text), autoescape=True)
        of_code = or_(Agency.code == canonical_code(text), Agency.old_code == text)
        query = query.where(or_(named, of_code))
    if day:
        query = query.where(_build_open_condition(day))
    query = query.order_by(Agency.code).limit(limit)
    return list((await session.scalars(query)).all())


def _build_open_condition(day: date) -> ColumnElement[bool]:
    open_end = or_(Agency.valid_to.is_(None), Agency.valid_to >= day)
    return (Agency.valid_from <= day) & open_end


async def find_agency(session: AsyncSession, code: str, within: Within = None) -> Agency | None:
    query = select(Agency).where(Agency.code == code, build_within_condition(Agency.code, within))
    return await session.scalar(query)


async def list_agencies_by_code(
    session: AsyncSession, codes: Collection[str], within: Within
) -> dict[str, Agency]:
    query = select(Agency).where(
        Agency.code.in_(codes), build_within_condition(Agency.code, within)
    )
    agencies = await session.scalars(query)
    return {agency.code: agency for agency in agencies}


async def add_agency(session: AsyncSession, **columns: Any) -> Agency | None:
    """Return the new agency, or None where its code is taken."""
    new = insert(Agency).values(columns).on_conflict_do_nothing()
    return await session.scalar(new.returning(Agency))
