"""Every query of the national view."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    String,
    Subquery,
    and_,
    any_,
    bindparam,
    column,
    delete,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from shared.codes.procedure import national_code
from shared.codes.time import StoredInstant
from shared.web.calls.rights import Limits, Right, merge_newest
from sync_service.agencies.hierarchy import COUNTRY, roots
from sync_service.agencies.models import Agency
from sync_service.database import table
from sync_service.intake.models import HeldProgress
from sync_service.national_view.filters import DossierFilter, Seen
from sync_service.national_view.models import NationalDossier, Party, TimelineEntry
from sync_service.national_view.state import Entry, Standing
from sync_service.sets import columns, given


def _texts(values: Collection[str]) -> ColumnElement[Any]:
    return any_(bindparam(None, sorted(values), type_=ARRAY(String)))


_STANDINGS = select(*(table(NationalDossier).c[name] for name in Standing.__slots__)).where(
    NationalDossier.code == any_(bindparam("codes", type_=ARRAY(String)))
)


async def standings(session: AsyncSession, codes: Collection[str]) -> dict[str, Standing]:
    rows = await session.execute(_STANDINGS, {"codes": sorted(codes)})
    return {row.code: Standing(*row) for row in rows}


async def known_entries(session: AsyncSession, entries: Collection[Entry]) -> set[Entry]:
    """Those of them that stand in the timelines already."""
    known = await session.execute(_known_entries(), columns(TimelineEntry, Entry._fields, entries))
    return {Entry._make(row) for row in known}


@cache
def _known_entries() -> Select[Any, Any]:
    entries, kept = given(TimelineEntry, *Entry._fields), table(TimelineEntry).c
    same = and_(*(kept[name] == entries.c[name] for name in Entry._fields))
    # OFFSET 0: each line is looked up in the index of the key, and the table is never read whole.
    line = (
        select(*(kept[name] for name in Entry._fields))
        .where(same)
        .offset(literal_column("0"))
        .lateral()
    )
    return select(*line.c).select_from(entries.join(line, true()))


async def agencies(session: AsyncSession, codes: Collection[str]) -> Mapping[str, Agency]:
    """Those that are known, by code; one without a name was only named by dossiers so far."""
    found = await session.scalars(select(Agency).where(Agency.code == _texts(codes)))
    return {agency.code: agency for agency in found}


def _within(limits: Limits, of: Seen) -> list[ColumnElement[bool]]:
    if limits.procedures is None:
        return []
    return [of.national_procedure == _texts({national_code(code) for code in limits.procedures})]


def _within_localised(limits: Limits) -> list[ColumnElement[bool]]:
    """Of what `_within` lets pass, the part that the right reaches by its own code."""
    if limits.procedures is None or all(code == national_code(code) for code in limits.procedures):
        return []
    dossier, named = NationalDossier, _texts(limits.procedures)
    return [or_(dossier.national_procedure == named, dossier.procedure == named)]


def _party_to(agencies: Collection[str], of: Seen) -> list[ColumnElement[bool]]:
    """No condition where it is the whole country."""
    if COUNTRY in agencies:
        return []
    party = aliased(Party)
    same = and_(party.opened_at == of.opened_at, party.code == of.code)
    return [select(party.code).where(party.agency == _texts(agencies), same).exists()]


async def dossier(session: AsyncSession, right: Right, code: str) -> NationalDossier | None:
    """None also where the right does not reach it."""
    for limits in right.alternatives:
        query = select(NationalDossier).where(
            NationalDossier.code == code,
            *_party_to(roots(limits.agencies), NationalDossier),
            *_within(limits, NationalDossier),
            *_within_localised(limits),
        )
        if (found := await session.scalar(query)) is not None:
            return found
    return None


TIMELINE_ORDER: Final = ("at", "version", "digest", "status", "kind", "detail", "source")
# The types of these columns, as a cursor has them.
TIMELINE_KEY: Final = (StoredInstant, int, int, int, str, str, str)


async def list_timeline(
    session: AsyncSession, code: str, *, after: tuple[Any, ...] | None, limit: int
) -> Sequence[TimelineEntry]:
    """Return up to `limit` lines, oldest first, that follow the line with the key `after`."""
    order = [table(TimelineEntry).c[name] for name in TIMELINE_ORDER]
    query = select(TimelineEntry).where(TimelineEntry.code == code)
    if after:
        query = query.where(tuple_(*order) > tuple_(*after))
    return (await session.scalars(query.order_by(*order).limit(limit))).all()


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

    async def read(limits: Limits) -> Sequence[NationalDossier]:
        query = _newest(limits, wanted, today=today, after=after, limit=limit)
        return (await session.scalars(query)).all()

    newest = await merge_newest(right, read, key=lambda row: (row.opened_at, row.code))
    return newest[:limit]


def _newest(
    limits: Limits,
    wanted: DossierFilter,
    *,
    today: date,
    after: tuple[Any, ...] | None,
    limit: int,
) -> Select[NationalDossier]:
    reach = roots(limits.agencies)
    elsewhere: list[str] = []
    if wanted.agency and wanted.covered_by(limits):
        reach = roots([wanted.agency])
    elif wanted.agency:
        elsewhere = roots([wanted.agency])
    seen: Seen = NationalDossier if COUNTRY in reach else wanted.parties
    lasting = [*_within(limits, seen), *wanted.lasting(seen)]
    lasting += _party_to(elsewhere, seen) if elsewhere else []
    passing = [*_within_localised(limits), *wanted.passing(today)]

    def newest(query: Select[datetime, str]) -> Select[datetime, str]:
        opened_at, code = query.selected_columns
        query = query.where(*wanted.bounds(opened_at))
        if after:
            query = query.where(tuple_(opened_at, code) < tuple_(*after))
        return query.order_by(opened_at.desc(), code.desc()).limit(limit)

    every = select(seen.opened_at, seen.code).where(*lasting)
    if seen is NationalDossier:
        page = newest(every.where(*passing)).subquery()
    else:
        every = _where_told(every, passing, seen)
        page = _of_each(reach, seen, newest(every), limit)
    order = NationalDossier.opened_at.desc(), NationalDossier.code.desc()
    query = select(NationalDossier).join(page, NationalDossier.code == page.c.code)
    return query.order_by(*order)


def _where_told(
    query: Select[datetime, str], passing: Sequence[ColumnElement[bool]], of: Seen
) -> Select[datetime, str]:
    """Looks the dossiers up from the newest on, only until there are enough: not a join."""
    if not passing:
        return query
    told = select(and_(*passing)).where(NationalDossier.code == of.code).correlate(of)
    return query.where(told.scalar_subquery())


def _of_each(reach: Sequence[str], of: Seen, newest: Select[datetime, str], limit: int) -> Subquery:
    """The newest of all roots out of the newest of each; a dossier under several is shown once."""
    given_roots = func.unnest(bindparam(None, list(reach), type_=ARRAY(String)))
    root = given_roots.table_valued(column("agency", String)).render_derived(name="root")
    of_one = newest.where(table(of).c.agency == root.c.agency).lateral("newest")
    both = of_one.c.opened_at, of_one.c.code
    merged = select(*both).select_from(root.join(of_one, true())).distinct()
    return merged.order_by(*(each.desc() for each in both)).limit(limit).subquery()


async def take_held(session: AsyncSession, codes: Collection[str]) -> Sequence[HeldProgress]:
    """Progress of dossiers that have now come, by any client; no longer held."""
    held = HeldProgress
    taken = delete(held).where(held.code == _texts(codes)).returning(held)
    return (await session.scalars(taken)).all()


async def drop_held(session: AsyncSession, days: int) -> int:
    """How many were held for longer than that, and are no more."""
    old = HeldProgress.held_at < func.now() - timedelta(days=days)
    dropped = await session.scalars(delete(HeldProgress).where(old).returning(HeldProgress.code))
    return len(dropped.all())
