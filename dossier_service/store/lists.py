"""Lists of dossiers: ranges of an index, however many dossiers there are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import ColumnElement, String, bindparam, func, select, true, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from dossier_service.calendars import office_hours
from dossier_service.models import CurrentProcedure, Dossier, DossierParty
from shared.auth import Right
from shared.events.codes import Channel, DossierStatus

# Under this name stands every dossier of the country.
COUNTRY = ""


@dataclass(frozen=True)
class Filters:
    """Days are those of the office. `due_before` and `overdue` (before today): unfinished only."""

    status: DossierStatus | None
    procedure: str | None
    agency: str | None
    channel: Channel | None
    filed_from: date | None
    filed_to: date | None
    due_before: date | None
    overdue: bool


async def list_dossiers(
    session: AsyncSession,
    filters: Filters,
    right: Right,
    *,
    today: date,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Dossier]:
    """Newest first, of the agencies that the right covers: each is a range, then merged."""
    agencies, conditions = _whose(filters.agency, right)
    if right.procedures is not None:
        conditions.append(DossierParty.procedure.in_(await _reached(session, right.procedures)))
    newest = DossierParty.filed_at.desc(), DossierParty.dossier.desc()
    given = bindparam("agencies", agencies, ARRAY(String))
    asked = func.unnest(given).table_valued("agency", name="asked").render_derived()
    each = (
        select(DossierParty.filed_at, DossierParty.dossier)
        .where(DossierParty.agency == asked.c.agency, *conditions, *_narrowed(filters, today))
        .order_by(*newest)
        .limit(limit)
    )
    if after is not None:
        each = each.where(tuple_(DossierParty.filed_at, DossierParty.dossier) < tuple_(*after))
    found = each.lateral("found")
    keys = (
        select(found.c.filed_at, found.c.dossier)
        .select_from(asked)
        .join(found, true())
        .distinct()
        .order_by(found.c.filed_at.desc(), found.c.dossier.desc())
        .limit(limit)
        .subquery()
    )
    page = (
        select(Dossier)
        .join(keys, Dossier.code == keys.c.dossier)
        .order_by(keys.c.filed_at.desc(), keys.c.dossier.desc())
    )
    return list((await session.scalars(page)).all())


def _whose(agency: str | None, right: Right) -> tuple[Sequence[str], list[ColumnElement[bool]]]:
    """In whose lists to look. Another agency's narrows what the caller sees, never widens it."""
    if agency is not None and right.covers_agency(agency):
        return [agency], []
    own = [COUNTRY] if right.agencies is None else list(right.agencies)
    return own, [] if agency is None else [_stands_with(agency)]


def _stands_with(agency: str) -> ColumnElement[bool]:
    other = aliased(DossierParty)
    return (
        select(other.dossier)
        .where(other.dossier == DossierParty.dossier, other.agency == agency)
        .exists()
    )


async def _reached(session: AsyncSession, procedures: Collection[str]) -> Collection[str]:
    """With the localised forms of those that are national, named: so the index is of use."""
    code = CurrentProcedure.code
    localised = select(code).where(func.length(code) > 8, func.left(code, 8).in_(procedures))  # noqa: PLR2004 -- 1.001193
    return {*procedures, *await session.scalars(localised)}


def _narrowed(filters: Filters, today: date) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.status is not None:
        found.append(DossierParty.status == filters.status)
    if filters.procedure is not None:
        found.append(DossierParty.procedure == filters.procedure)
    if filters.channel is not None:
        found.append(DossierParty.channel == filters.channel)
    if filters.filed_from is not None:
        found.append(DossierParty.filed_at >= _begin(filters.filed_from))
    if filters.filed_to is not None:
        found.append(DossierParty.filed_at < _begin(filters.filed_to) + timedelta(days=1))
    if filters.due_before is not None:
        found += _open_and_due_before(filters.due_before)
    if filters.overdue:
        found += _open_and_due_before(today)
    return found


def _open_and_due_before(day: date) -> list[ColumnElement[bool]]:
    return [DossierParty.finished_at.is_(None), DossierParty.due_at < _begin(day)]


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=office_hours().time_zone)
