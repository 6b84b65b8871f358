"""Every query of the national view."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    String,
    and_,
    any_,
    bindparam,
    column,
    delete,
    func,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from shared.auth import Right
from sync_service.agencies import roots
from sync_service.filters import DossierFilter
from sync_service.models import Agency, HeldProgress, NationalDossier, Party, TimelineEntry, table
from sync_service.sets import given
from sync_service.standings import ENDED, Standing

FIRST_END, SECOND_END = 9, 10


def _texts(values: Collection[str]) -> ColumnElement[Any]:
    return any_(bindparam(None, sorted(values), type_=ARRAY(String)))


async def standings(session: AsyncSession, codes: Collection[str]) -> dict[str, Standing]:
    columns = [table(NationalDossier).c[name] for name in Standing.__slots__]
    query = select(*columns).where(NationalDossier.code == _texts(codes))
    return {row.code: Standing(*row) for row in await session.execute(query)}


async def ends(session: AsyncSession, ended: Sequence[Standing]) -> dict[str, datetime]:
    """When they ended, from their timelines, where their source did not tell it.

    The time of status 9, else of 10, else of 8, 3 or 7 (QĐ 766, 2.1), since last taken up again.
    """
    if not ended:
        return {}
    there = given(TimelineEntry, [{"code": each.code, "source": each.source} for each in ended])
    entry = TimelineEntry
    still_open = entry.status.not_in(ENDED)
    reopened = func.max(entry.at).filter(still_open).over(partition_by=entry.code)
    lines = (
        select(entry.code, entry.at, entry.status, reopened.label("reopened"))
        .join(there, and_(entry.code == there.c.code, entry.source == there.c.source))
        .subquery()
    )
    since = or_(lines.c.reopened.is_(None), lines.c.at > lines.c.reopened)
    first = [
        func.min(lines.c.at).filter(lines.c.status == FIRST_END),
        func.min(lines.c.at).filter(lines.c.status == SECOND_END),
        func.min(lines.c.at).filter(lines.c.status.in_(ENDED - {FIRST_END, SECOND_END})),
    ]
    query = select(lines.c.code, func.coalesce(*first)).where(since).group_by(lines.c.code)
    return {code: at for code, at in await session.execute(query) if at}


async def agencies(session: AsyncSession, codes: Collection[str]) -> Mapping[str, Agency]:
    """Those that are known, by code; one without a name was only named by dossiers so far."""
    found = await session.scalars(select(Agency).where(Agency.code == _texts(codes)))
    return {agency.code: agency for agency in found}


def _within(right: Right) -> list[ColumnElement[bool]]:
    if right.procedures is None:
        return []
    procedures = _texts(right.procedures)
    dossier = NationalDossier
    return [or_(dossier.national_procedure == procedures, dossier.procedure == procedures)]


def _party_to(agencies: Collection[str]) -> ColumnElement[bool]:
    party, dossier = aliased(Party), NationalDossier
    same = and_(party.opened_at == dossier.opened_at, party.code == dossier.code)
    return select(party.code).where(party.agency == _texts(agencies), same).exists()


async def dossier(session: AsyncSession, right: Right, code: str) -> NationalDossier | None:
    """None also where the right does not reach it."""
    query = select(NationalDossier).where(
        NationalDossier.code == code,
        _party_to(roots(right.agencies)),
        *_within(right),
    )
    return await session.scalar(query)


async def timeline(session: AsyncSession, code: str) -> Sequence[TimelineEntry]:
    entry = TimelineEntry
    query = select(entry).where(entry.code == code).order_by(entry.at, entry.taken_at, entry.status)
    return (await session.scalars(query)).all()


async def listed(
    session: AsyncSession,
    right: Right,
    wanted: DossierFilter,
    *,
    today: date,
    after: tuple[Any, ...] | None,
    limit: int,
) -> Sequence[NationalDossier]:
    """Newest first, `limit` at most; one range scan for each root of the right."""
    reach = roots(right.agencies)
    conditions = [*_within(right), *wanted.conditions(today)]
    if wanted.agency and wanted.covered_by(right):
        reach = roots([wanted.agency])
    elif wanted.agency:
        conditions.append(_party_to(roots([wanted.agency])))
    page = _page(reach, conditions, wanted, after=after, limit=limit)
    order = NationalDossier.opened_at.desc(), NationalDossier.code.desc()
    query = select(NationalDossier).join(page, NationalDossier.code == page.c.code)
    return (await session.scalars(query.order_by(*order))).all()


def _page(
    reach: Sequence[str],
    conditions: Sequence[ColumnElement[bool]],
    wanted: DossierFilter,
    *,
    after: tuple[Any, ...] | None,
    limit: int,
) -> Any:
    given_roots = bindparam(None, reach, type_=ARRAY(String))
    root = func.unnest(given_roots).table_valued(column("code", String)).render_derived("root")
    order = Party.opened_at.desc(), Party.code.desc()
    of_one = select(Party.opened_at, Party.code).where(Party.agency == root.c.code)
    of_one = of_one.where(*wanted.bounds(Party.opened_at))
    if conditions:
        of_one = of_one.join(NationalDossier, NationalDossier.code == Party.code)
        of_one = of_one.where(*conditions)
    if after:
        of_one = of_one.where(tuple_(Party.opened_at, Party.code) < tuple_(*after))
    each = of_one.order_by(*order).limit(limit).lateral("each")
    # A dossier may lie under several roots: it is shown once.
    merged = select(each.c.opened_at, each.c.code).select_from(root).join(each, true()).distinct()
    newest = merged.order_by(each.c.opened_at.desc(), each.c.code.desc()).limit(limit)
    return newest.subquery("page")


async def take_held(
    session: AsyncSession, source: str, codes: Collection[str]
) -> Sequence[HeldProgress]:
    """What was held for dossiers that have now come, in the order of its time; no longer held."""
    held = HeldProgress
    taken = delete(held).where(held.source == source, held.code == _texts(codes)).returning(held)
    return sorted(await session.scalars(taken), key=lambda each: (each.at, each.held_at))
