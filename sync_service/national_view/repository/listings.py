"""Select the dossiers that a right and filters cover, by one range scan for each top agency."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Date,
    Select,
    SQLColumnExpression,
    String,
    Subquery,
    and_,
    bindparam,
    case,
    column,
    false,
    func,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from shared.codes.coverage import list_written_forms
from shared.codes.enums import ENDED, DossierStatus
from shared.codes.procedure import parse_national_code
from shared.codes.time import VIET_NAM
from shared.database.bulk import get_table
from shared.web.calls.rights import Limits, Right, merge_newest_rows
from sync_service.agencies.hierarchy import COUNTRY, roots
from sync_service.agencies.statements import select_level
from sync_service.database import any_text, in_plan
from sync_service.national_view.derived_times import REQUEST
from sync_service.national_view.filters import DossierFilter
from sync_service.national_view.models import NationalDossier, Party, PendingParty

# The tables from which a list may be read.
Seen = type[NationalDossier | Party | PendingParty]


def _within(limits: Limits, of: Seen) -> list[ColumnElement[bool]]:
    if limits.procedures is None:
        return []
    return [
        of.national_procedure == any_text({parse_national_code(code) for code in limits.procedures})
    ]


def _within_localised(limits: Limits) -> list[ColumnElement[bool]]:
    """Return the conditions on localised procedures, beyond the national ones of `_within`."""
    if limits.procedures is None or all(
        code == parse_national_code(code) for code in limits.procedures
    ):
        return []
    dossier, named = NationalDossier, any_text(list_written_forms(limits.procedures))
    return [or_(dossier.national_procedure == named, dossier.procedure == named)]


def _party_to(agencies: Collection[str], of: Seen) -> list[ColumnElement[bool]]:
    """Return the condition that one of the agencies takes part; none for the whole country."""
    if COUNTRY in agencies:
        return []
    party = aliased(Party)
    same = and_(party.opened_at == of.opened_at, party.code == of.code)
    return [select(party.code).where(party.agency == any_text(agencies), same).exists()]


async def dossier(session: AsyncSession, right: Right, code: str) -> NationalDossier | None:
    """Return None for an unknown dossier, or one outside the right."""
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


async def listed(
    session: AsyncSession,
    right: Right,
    wanted: DossierFilter,
    *,
    today: date,
    after: tuple[Any, ...] | None,
    limit: int,
) -> Sequence[NationalDossier]:
    """Return up to `limit` dossiers, newest first; one range scan for each top agency."""

    async def read(limits: Limits) -> Sequence[NationalDossier]:
        query = _newest(limits, wanted, today=today, after=after, limit=limit)
        return (await session.scalars(query)).all()

    newest = await merge_newest_rows(right, read, key=lambda row: (row.opened_at, row.code))
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
    seen: Seen = NationalDossier if COUNTRY in reach else _parties(wanted)
    lasting = [*_within(limits, seen), *_lasting(wanted, seen)]
    lasting += _party_to(elsewhere, seen) if elsewhere else []
    passing = [*_within_localised(limits), *_passing(wanted, today)]

    def newest(query: Select[datetime, str]) -> Select[datetime, str]:
        opened_at, code = query.selected_columns
        query = query.where(*_bounds(wanted, opened_at))
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
    """Look the dossiers up from the newest on; unlike a join, the subquery stops early."""
    if not passing:
        return query
    told = select(and_(*passing)).where(NationalDossier.code == of.code).correlate(of)
    return query.where(told.scalar_subquery())


def _of_each(reach: Sequence[str], of: Seen, newest: Select[datetime, str], limit: int) -> Subquery:
    """Merge the newest of each top agency; a dossier below several of them is listed once."""
    given_roots = func.unnest(bindparam(None, list(reach), type_=ARRAY(String)))
    root = given_roots.table_valued(column("agency", String)).render_derived(name="root")
    of_one = newest.where(get_table(of).c.agency == root.c.agency).lateral("newest")
    both = of_one.c.opened_at, of_one.c.code
    merged = select(*both).select_from(root.join(of_one, true())).distinct()
    return merged.order_by(*(each.desc() for each in both)).limit(limit).subquery()


def _bounds(wanted: DossierFilter, opened_at: ColumnElement[datetime]) -> list[ColumnElement[bool]]:
    """Return the bounds of the ordered list that follow from the days of reception."""
    bounds = []
    if wanted.received_from:
        bounds.append(opened_at >= begin_of(wanted.received_from))
    if wanted.received_to:
        bounds.append(opened_at < begin_of(wanted.received_to + timedelta(days=1)))
    return bounds


def _parties(wanted: DossierFilter) -> type[Party | PendingParty]:
    """Return the smaller table of parties that has all dossiers of the filters."""
    is_pending = wanted.status not in {None, DossierStatus.RETURNED} or wanted.overdue
    return PendingParty if is_pending else Party


def _lasting(wanted: DossierFilter, of: Seen) -> list[ColumnElement[bool]]:
    """Return the conditions on columns that no change of status changes; a party has them too."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.channel is not None:
        conditions.append(of.channel == in_plan(wanted.channel.value))
    if wanted.procedure is not None:
        conditions.append(of.national_procedure == in_plan(parse_national_code(wanted.procedure)))
    if wanted.level is not None:
        conditions.append(of.deciding.in_(select_level(wanted.level)))
    return conditions


def _passing(wanted: DossierFilter, today: date) -> list[ColumnElement[bool]]:
    """Return the conditions on columns that only the dossier itself has."""
    dossier = NationalDossier
    conditions: list[ColumnElement[bool]] = []
    if wanted.received_from or wanted.received_to:
        conditions.append(dossier.received_at.is_not(None))
    if wanted.status is not None:
        conditions.append(dossier.status == in_plan(wanted.status.value))
        if wanted.status not in ENDED:
            conditions.append(dossier.ended_at.is_(None))
    # A national code includes all its localised forms.
    if wanted.procedure is not None and wanted.procedure != parse_national_code(wanted.procedure):
        conditions.append(dossier.procedure == any_text(list_written_forms([wanted.procedure])))
    if wanted.overdue is not None:
        conditions.append(overdue(today) if wanted.overdue else ~overdue(today))
    return conditions


def overdue(today: date) -> ColumnElement[bool]:
    """Return whether a dossier is open and late as of a day, as `open_late` of the indicators.

    It is the same rule as `handling.is_overdue`, and never NULL: all other dossiers are open in
    time, have ended, have no due date or were not received.
    """
    dossier = NationalDossier
    due = func.coalesce(dossier.due_at, dossier.latest_at)
    late_at_request = or_(dossier.requests > 1, vn_date(dossier.requested_at) > vn_date(due))
    is_late = case((dossier.status == REQUEST.value, late_at_request), else_=due < begin_of(today))
    is_open = and_(dossier.ended_at.is_(None), dossier.received_at.is_not(None))
    return and_(is_open, func.coalesce(is_late & due.is_not(None), false()))


def vn_date(instant: SQLColumnExpression[Any]) -> ColumnElement[date]:
    return func.timezone(VIET_NAM.key, instant).cast(Date)


def begin_of(day: date) -> datetime:
    return datetime.combine(day, time(), VIET_NAM)
