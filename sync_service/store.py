"""Every query of the national view."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    String,
    Subquery,
    and_,
    any_,
    bindparam,
    delete,
    func,
    or_,
    select,
    tuple_,
    union,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from shared.auth import Right
from shared.events.codes import ENDED, national_code
from sync_service.agencies import COUNTRY, roots
from sync_service.filters import DossierFilter, in_plan
from sync_service.models import Agency, HeldProgress, NationalDossier, Party, TimelineEntry, table
from sync_service.sets import given
from sync_service.standings import Standing

REQUEST, FIRST_END, SECOND_END = 5, 9, 10


class Milestones(NamedTuple):
    """Of one dossier; None, or no requests, where its timeline tells of none."""

    ended_at: datetime | None
    requests: int
    requested_at: datetime | None


def _texts(values: Collection[str]) -> ColumnElement[Any]:
    return any_(bindparam(None, sorted(values), type_=ARRAY(String)))


async def standings(session: AsyncSession, codes: Collection[str]) -> dict[str, Standing]:
    columns = [table(NationalDossier).c[name] for name in Standing.__slots__]
    query = select(*columns).where(NationalDossier.code == _texts(codes))
    return {row.code: Standing(*row) for row in await session.execute(query)}


async def milestones(session: AsyncSession, standings: Sequence[Standing]) -> dict[str, Milestones]:
    """When they ended and when supplements were requested, from what their source told (QĐ 766).

    The end is the time of status 9, else of 10, else of 8, 3 or 7, since last taken up again. A
    request is a status 5 that follows another status, however often it is told again.
    """
    if not standings:
        return {}
    lines = _lines(standings)
    since = or_(lines.c.reopened.is_(None), lines.c.at > lines.c.reopened)
    first = [
        func.min(lines.c.at).filter(since, lines.c.status == FIRST_END),
        func.min(lines.c.at).filter(since, lines.c.status == SECOND_END),
        func.min(lines.c.at).filter(since, lines.c.status.in_(ENDED)),
    ]
    is_request = and_(lines.c.status == REQUEST, lines.c.previous.is_distinct_from(REQUEST))
    query = select(
        lines.c.code,
        func.coalesce(*first),
        func.count().filter(is_request),
        func.min(lines.c.at).filter(is_request),
    ).group_by(lines.c.code)
    return {code: Milestones(*found) for code, *found in await session.execute(query)}


def _lines(standings: Sequence[Standing]) -> Subquery:
    there = given(TimelineEntry, [{"code": each.code, "source": each.source} for each in standings])
    entry = TimelineEntry
    still_open = entry.status.not_in(ENDED)
    reopened = func.max(entry.at).filter(still_open).over(partition_by=entry.code)
    in_order = (entry.at, entry.status)
    previous = func.lag(entry.status).over(partition_by=entry.code, order_by=in_order)
    return (
        select(
            entry.code,
            entry.at,
            entry.status,
            reopened.label("reopened"),
            previous.label("previous"),
        )
        .join(there, and_(entry.code == there.c.code, entry.source == there.c.source))
        .subquery()
    )


async def agencies(session: AsyncSession, codes: Collection[str]) -> Mapping[str, Agency]:
    """Those that are known, by code; one without a name was only named by dossiers so far."""
    found = await session.scalars(select(Agency).where(Agency.code == _texts(codes)))
    return {agency.code: agency for agency in found}


def _within(right: Right) -> list[ColumnElement[bool]]:
    if right.procedures is None:
        return []
    dossier = NationalDossier
    national = {national_code(code) for code in right.procedures}
    # By the national code, which has an index; then what is localised otherwise falls out.
    within = [dossier.national_procedure == _texts(national)]
    if national != right.procedures:
        named = _texts(right.procedures)
        within.append(or_(dossier.national_procedure == named, dossier.procedure == named))
    return within


def _party_to(agencies: Collection[str]) -> list[ColumnElement[bool]]:
    """No condition where it is the whole country."""
    if COUNTRY in agencies:
        return []
    party, dossier = aliased(Party), NationalDossier
    same = and_(party.opened_at == dossier.opened_at, party.code == dossier.code)
    return [select(party.code).where(party.agency == _texts(agencies), same).exists()]


async def dossier(session: AsyncSession, right: Right, code: str) -> NationalDossier | None:
    """None also where the right does not reach it."""
    query = select(NationalDossier).where(
        NationalDossier.code == code,
        *_party_to(roots(right.agencies)),
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
        conditions += _party_to(roots([wanted.agency]))
    if not reach:
        return ()
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
) -> Subquery:
    dossier = NationalDossier

    def newest(
        query: Select[datetime, str], opened_at: ColumnElement[datetime], code: ColumnElement[str]
    ) -> Subquery:
        query = query.where(*wanted.bounds(opened_at))
        if after:
            query = query.where(tuple_(opened_at, code) < tuple_(*after))
        return query.order_by(opened_at.desc(), code.desc()).limit(limit).subquery()

    if COUNTRY in reach:
        every = select(dossier.opened_at, dossier.code).where(*conditions)
        return newest(every, *every.selected_columns)
    parts: list[Select[Any, Any]] = []
    for root in reach:
        of_one = select(Party.opened_at, Party.code).where(Party.agency == in_plan(root))
        order = tuple(of_one.selected_columns)
        if conditions:
            # By both: so an index that begins with what is asked for leads on to the parties.
            same = and_(dossier.opened_at == Party.opened_at, dossier.code == Party.code)
            of_one = of_one.join(dossier, same).where(*conditions)
        found = newest(of_one, *order)
        parts.append(select(found.c.opened_at, found.c.code))
    # A dossier may lie under several roots: it is shown once.
    merged = union(*parts).subquery()
    both = merged.c.opened_at, merged.c.code
    return select(*both).order_by(*(each.desc() for each in both)).limit(limit).subquery()


async def take_held(
    session: AsyncSession, source: str, codes: Collection[str]
) -> Sequence[HeldProgress]:
    """What was held for dossiers that have now come, in the order of its time; no longer held."""
    held = HeldProgress
    taken = delete(held).where(held.source == source, held.code == _texts(codes)).returning(held)
    return sorted(await session.scalars(taken), key=lambda each: (each.at, each.held_at))


async def drop_held(session: AsyncSession, days: int) -> int:
    """How many were held for longer than that, and are no more."""
    old = HeldProgress.held_at < func.now() - timedelta(days=days)
    dropped = await session.scalars(delete(HeldProgress).where(old).returning(HeldProgress.code))
    return len(dropped.all())
