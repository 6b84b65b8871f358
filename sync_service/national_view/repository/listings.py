"""Select the dossiers that a right and filters cover, by one range scan for each top agency."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
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

from shared.codes.coverage import list_written_procedure_codes
from shared.codes.enums import ENDED, DossierStatus
from shared.codes.procedure import parse_national_code
from shared.codes.time import VIET_NAM, start_of_day_in_viet_nam
from shared.database.bulk import get_table
from shared.database.coverage import is_procedure_covered
from shared.web.calls.rights import Limits, Right, merge_newest_rows
from sync_service.agencies.hierarchy import COUNTRY, top_level_codes
from sync_service.agencies.statements import select_level
from sync_service.database import any_text, as_literal
from sync_service.national_view.derived_times import REQUEST
from sync_service.national_view.filters import NationalDossierFilter
from sync_service.national_view.models import NationalDossier, Party, PendingParty

# The tables from which a list may be read.
ListTable = type[NationalDossier | Party | PendingParty]


def _build_procedure_conditions(limits: Limits, table: ListTable) -> list[ColumnElement[bool]]:
    if limits.procedures is None:
        return []
    return [
        table.national_procedure
        == any_text({parse_national_code(code) for code in limits.procedures})
    ]


def _build_localised_conditions(limits: Limits) -> list[ColumnElement[bool]]:
    """Return the conditions of rights to localised procedures, beyond their national codes."""
    if limits.procedures is None or all(
        code == parse_national_code(code) for code in limits.procedures
    ):
        return []
    named = any_text(list_written_procedure_codes(limits.procedures))
    procedure, national = NationalDossier.procedure, NationalDossier.national_procedure
    return [is_procedure_covered(procedure, named, national=national)]


def _build_party_conditions(
    agencies: Collection[str], table: ListTable
) -> list[ColumnElement[bool]]:
    """Return the condition that one of the agencies takes part; none for the whole country."""
    if COUNTRY in agencies:
        return []
    party = aliased(Party)
    same = and_(party.opened_at == table.opened_at, party.code == table.code)
    return [select(party.code).where(party.agency == any_text(agencies), same).exists()]


async def find_dossier(session: AsyncSession, right: Right, code: str) -> NationalDossier | None:
    """Return None for an unknown dossier, or one outside the right."""
    for limits in right.alternatives:
        query = select(NationalDossier).where(
            NationalDossier.code == code,
            *_build_party_conditions(top_level_codes(limits.agencies), NationalDossier),
            *_build_procedure_conditions(limits, NationalDossier),
            *_build_localised_conditions(limits),
        )
        if (row := await session.scalar(query)) is not None:
            return row
    return None


async def list_dossiers(
    session: AsyncSession,
    right: Right,
    filters: NationalDossierFilter,
    *,
    today: date,
    after: tuple[Any, ...] | None,
    limit: int,
) -> Sequence[NationalDossier]:
    """Return up to `limit` dossiers, newest first; one range scan for each top agency."""

    async def read_newest(limits: Limits) -> Sequence[NationalDossier]:
        query = _select_newest(limits, filters, today=today, after=after, limit=limit)
        return (await session.scalars(query)).all()

    newest = await merge_newest_rows(right, read_newest, key=lambda row: (row.opened_at, row.code))
    return newest[:limit]


def _select_newest(
    limits: Limits,
    filters: NationalDossierFilter,
    *,
    today: date,
    after: tuple[Any, ...] | None,
    limit: int,
) -> Select[NationalDossier]:
    reach = top_level_codes(limits.agencies)
    elsewhere: list[str] = []
    if filters.agency and filters.is_covered_by(limits):
        reach = top_level_codes([filters.agency])
    elif filters.agency:
        elsewhere = top_level_codes([filters.agency])
    seen: ListTable = NationalDossier if COUNTRY in reach else _choose_party_table(filters)
    index_conditions = [
        *_build_procedure_conditions(limits, seen),
        *_build_index_conditions(filters, seen),
    ]
    index_conditions += _build_party_conditions(elsewhere, seen) if elsewhere else []
    row_conditions = [*_build_localised_conditions(limits), *_build_row_conditions(filters, today)]

    def order_newest(query: Select[datetime, str]) -> Select[datetime, str]:
        opened_at, code = query.selected_columns
        query = query.where(*_build_bounds(filters, opened_at))
        if after:
            query = query.where(tuple_(opened_at, code) < tuple_(*after))
        return query.order_by(opened_at.desc(), code.desc()).limit(limit)

    every = select(seen.opened_at, seen.code).where(*index_conditions)
    if seen is NationalDossier:
        page = order_newest(every.where(*row_conditions)).subquery()
    else:
        every = _filter_by_dossier(every, row_conditions, seen)
        page = _merge_newest(reach, seen, order_newest(every), limit)
    order = NationalDossier.opened_at.desc(), NationalDossier.code.desc()
    query = select(NationalDossier).join(page, NationalDossier.code == page.c.code)
    return query.order_by(*order)


def _filter_by_dossier(
    query: Select[datetime, str], row_conditions: Sequence[ColumnElement[bool]], table: ListTable
) -> Select[datetime, str]:
    """Look the dossiers up from the newest on; unlike a join, the subquery stops early."""
    if not row_conditions:
        return query
    condition = (
        select(and_(*row_conditions)).where(NationalDossier.code == table.code).correlate(table)
    )
    return query.where(condition.scalar_subquery())


def _merge_newest(
    reach: Sequence[str], table: ListTable, newest: Select[datetime, str], limit: int
) -> Subquery:
    """Merge the newest of each top agency; a dossier below several of them is listed once."""
    given_roots = func.unnest(bindparam(None, list(reach), type_=ARRAY(String)))
    root = given_roots.table_valued(column("agency", String)).render_derived(name="root")
    of_one = newest.where(get_table(table).c.agency == root.c.agency).lateral("newest")
    both = of_one.c.opened_at, of_one.c.code
    merged = select(*both).select_from(root.join(of_one, true())).distinct()
    return merged.order_by(*(sort_column.desc() for sort_column in both)).limit(limit).subquery()


def _build_bounds(
    filters: NationalDossierFilter, opened_at: ColumnElement[datetime]
) -> list[ColumnElement[bool]]:
    """Return the bounds of the ordered list that follow from the days of reception."""
    bounds = []
    if filters.received_from:
        bounds.append(opened_at >= start_of_day_in_viet_nam(filters.received_from))
    if filters.received_to:
        bounds.append(opened_at < start_of_day_in_viet_nam(filters.received_to + timedelta(days=1)))
    return bounds


def _choose_party_table(filters: NationalDossierFilter) -> type[Party | PendingParty]:
    """Return the smaller table of parties that has all dossiers of the filters."""
    is_pending = filters.status not in {None, DossierStatus.RETURNED} or filters.overdue
    return PendingParty if is_pending else Party


def _build_index_conditions(
    filters: NationalDossierFilter, table: ListTable
) -> list[ColumnElement[bool]]:
    """Return the conditions on columns that no change of status changes; a party has them too."""
    conditions: list[ColumnElement[bool]] = []
    if filters.channel is not None:
        conditions.append(table.channel == as_literal(filters.channel.value))
    if filters.procedure is not None:
        conditions.append(
            table.national_procedure == as_literal(parse_national_code(filters.procedure))
        )
    if filters.level is not None:
        conditions.append(table.deciding.in_(select_level(filters.level)))
    return conditions


def _build_row_conditions(filters: NationalDossierFilter, today: date) -> list[ColumnElement[bool]]:
    """Return the conditions on columns that only the dossier itself has."""
    dossier = NationalDossier
    conditions: list[ColumnElement[bool]] = []
    if filters.received_from or filters.received_to:
        conditions.append(dossier.received_at.is_not(None))
    if filters.status is not None:
        conditions.append(dossier.status == as_literal(filters.status.value))
        if filters.status not in ENDED:
            conditions.append(dossier.ended_at.is_(None))
    # A national code includes all its localised forms.
    if filters.procedure is not None and filters.procedure != parse_national_code(
        filters.procedure
    ):
        conditions.append(
            dossier.procedure == any_text(list_written_procedure_codes([filters.procedure]))
        )
    if filters.overdue is not None:
        conditions.append(is_overdue(today) if filters.overdue else ~is_overdue(today))
    return conditions


def is_overdue(today: date) -> ColumnElement[bool]:
    """Return whether a dossier is open and late as of a day, as `open_late` of the indicators.

    It is the same rule as `handling.is_overdue`, and never NULL: all other dossiers are open in
    time, have ended, have no due date or were not received.
    """
    dossier = NationalDossier
    due = func.coalesce(dossier.due_at, dossier.latest_at)
    late_at_request = or_(
        dossier.requests > 1, cast_vn_date(dossier.requested_at) > cast_vn_date(due)
    )
    is_requested = and_(
        dossier.status == REQUEST.value, dossier.requested_at.is_not(None), dossier.requests > 0
    )
    is_late = case(
        (is_requested, late_at_request),
        else_=due < start_of_day_in_viet_nam(today),
    )
    is_open = and_(dossier.ended_at.is_(None), dossier.received_at.is_not(None))
    return and_(is_open, func.coalesce(is_late & due.is_not(None), false()))


def cast_vn_date(instant: SQLColumnExpression[Any]) -> ColumnElement[date]:
    return func.timezone(VIET_NAM.key, instant).cast(Date)
