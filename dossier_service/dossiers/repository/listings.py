"""Lists of dossiers are ranges of an index, however many dossiers there are."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    func,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from dossier_service.dossiers.filters import DossierFilter
from dossier_service.dossiers.models import NATIONAL_PROCEDURE, Dossier, DossierParty
from dossier_service.dossiers.repository.dossiers import reaches_procedure
from shared.codes.procedure import parse_national_code
from shared.codes.time import start_of_day_in_viet_nam
from shared.web.calls.rights import Limits, Right, merge_newest_rows

# Every dossier is listed under this name too, which is no code.
ALL_AGENCIES = ""


async def list_dossiers(
    session: AsyncSession,
    filters: DossierFilter,
    right: Right,
    *,
    today: date,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Dossier]:
    """Return the newest dossiers first: one range for each agency of the right, then merged."""

    async def read_newest(limits: Limits) -> Sequence[Dossier]:
        values = _bind_agency_lists(filters.agency, limits) | _bind_filters(filters, limits, today)
        if after is not None:
            values |= {"after_filed_at": after[0], "after_dossier": after[1]}
        page = _build_page_query(frozenset(values))
        return (await session.scalars(page, values | {"row_limit": limit})).all()

    newest = await merge_newest_rows(right, read_newest, key=lambda row: (row.filed_at, row.code))
    return newest[:limit]


_NEWEST = DossierParty.filed_at.desc(), DossierParty.dossier.desc()
_ROW_LIMIT = bindparam("row_limit", type_=Integer)
_AFTER = tuple_(
    bindparam("after_filed_at", type_=DateTime(timezone=True)),
    bindparam("after_dossier", type_=String),
)
_OTHER = aliased(DossierParty)
# By the name of the value that each compares with; `after_dossier` goes with `after_filed_at`.
_CONDITIONS: Mapping[str, ColumnElement[bool]] = {
    "after_filed_at": tuple_(DossierParty.filed_at, DossierParty.dossier) < _AFTER,
    "stands_with": select(_OTHER.dossier)
    .where(_OTHER.dossier == DossierParty.dossier, _OTHER.agency == bindparam("stands_with"))
    .exists(),
    "procedures": reaches_procedure(DossierParty.procedure),
    "status": DossierParty.status == bindparam("status"),
    "national_procedure": bindparam("national_procedure") == NATIONAL_PROCEDURE,
    "localised_procedure": DossierParty.procedure == bindparam("localised_procedure"),
    "channel": DossierParty.channel == bindparam("channel"),
    "filed_from": DossierParty.filed_at >= bindparam("filed_from"),
    "filed_before": DossierParty.filed_at < bindparam("filed_before"),
    "due_before": and_(
        DossierParty.finished_at.is_(None), DossierParty.due_at < bindparam("due_before")
    ),
    # That it is not finished follows, and names the index.
    "overdue_on": and_(
        DossierParty.finished_at.is_(None), DossierParty.overdue_from <= bindparam("overdue_on")
    ),
    "not_overdue_on": or_(
        DossierParty.overdue_from.is_(None), DossierParty.overdue_from > bindparam("not_overdue_on")
    ),
}


@cache
def _build_page_query(names: frozenset[str]) -> Select[Dossier]:
    """Build each query once: to build it takes longer than the rest of a list."""
    codes = func.unnest(bindparam("agencies", type_=ARRAY(String)))
    agencies = codes.table_valued("code", name="agencies").render_derived()
    conditions = [condition for name, condition in _CONDITIONS.items() if name in names]
    newest = (
        select(DossierParty.filed_at, DossierParty.dossier)
        .where(DossierParty.agency == agencies.c.code, *conditions)
        .order_by(*_NEWEST)
        .limit(_ROW_LIMIT)
        .lateral("newest")
    )
    keys = (
        select(newest.c.filed_at, newest.c.dossier)
        .select_from(agencies)
        .join(newest, true())
        .distinct()
        .order_by(newest.c.filed_at.desc(), newest.c.dossier.desc())
        .limit(_ROW_LIMIT)
        .subquery()
    )
    return (
        select(Dossier)
        .join(keys, Dossier.code == keys.c.dossier)
        .order_by(keys.c.filed_at.desc(), keys.c.dossier.desc())
    )


def _bind_agency_lists(agency: str | None, limits: Limits) -> dict[str, Any]:
    """Choose the lists to read; the list of another agency narrows the right, never widens it."""
    if agency is not None and limits.covers_agency(agency):
        return {"agencies": [agency]}
    agencies = [ALL_AGENCIES] if limits.agencies is None else sorted(limits.agencies)
    return {"agencies": agencies} | ({} if agency is None else {"stands_with": agency})


def _bind_filters(filters: DossierFilter, limits: Limits, today: date) -> dict[str, Any]:
    values = {
        "procedures": None if limits.procedures is None else sorted(limits.procedures),
        "status": filters.status,
        **_bind_procedure(filters.procedure),
        "channel": filters.channel,
        "filed_from": filters.filed_from and start_of_day_in_viet_nam(filters.filed_from),
        "filed_before": filters.filed_to
        and start_of_day_in_viet_nam(filters.filed_to) + timedelta(days=1),
        "due_before": filters.due_before and start_of_day_in_viet_nam(filters.due_before),
        "overdue_on": today if filters.overdue is True else None,
        "not_overdue_on": today if filters.overdue is False else None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _bind_procedure(procedure: str | None) -> dict[str, str]:
    """Return the bound values of the filter by procedure, none without a filter.

    A national code lists all its localised forms; a localised code lists its own dossiers alone.
    """
    if procedure is None:
        return {}
    national = parse_national_code(procedure)
    localised = {} if procedure == national else {"localised_procedure": procedure}
    return {"national_procedure": national} | localised
