"""Read dossiers: the query itself leaves out each dossier that the caller may not see."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TypeVar

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    any_,
    bindparam,
    func,
    literal,
    not_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, joinedload, selectinload

from dossier_service.dossiers.models import PROVISIONAL_OPEN, Dossier, DossierParty, DossierStep
from dossier_service.dossiers.problems import DossierNotFound
from shared.codes.time import FIRST_DAY, LAST_DAY
from shared.database.coverage import cut_to_national_code, is_procedure_covered
from shared.database.deferred import defer_write, flush_deferred_writes
from shared.rules.working_days import list_current_bases
from shared.web.calls.rights import Limits, Right

Found = TypeVar("Found")

_WITH_FEES_AND_RESULTS = select(Dossier).options(
    joinedload(Dossier.fees), joinedload(Dossier.results)
)
_WHOLE = _WITH_FEES_AND_RESULTS.options(
    joinedload(Dossier.applicant), selectinload(Dossier.documents)
)
_PROCEDURE = select(Dossier.procedure)


async def read_dossier(session: AsyncSession, code: str, right: Right) -> Dossier:
    """Return a dossier that the right covers; raise DossierNotFound."""
    # A dossier that was filed in this transaction is not yet in the table.
    await flush_deferred_writes(session)
    return await _read_visible(session, _WITH_FEES_AND_RESULTS, code, right)


async def read_whole_dossier(session: AsyncSession, code: str, right: Right) -> Dossier:
    """Return a dossier with its applicant and its papers too; raise DossierNotFound."""
    return await _read_visible(session, _WHOLE, code, right)


async def read_dossier_procedure(session: AsyncSession, code: str, right: Right) -> str:
    """Return the procedure of a dossier; raise DossierNotFound."""
    return await _read_visible(session, _PROCEDURE, code, right)


async def _read_visible(
    session: AsyncSession, query: Select[Found], code: str, right: Right
) -> Found:
    """Return the result of the first alternative of the right that reaches the dossier."""
    for limits in right.alternatives:
        rows = await session.scalars(*_select_visible(query, code, limits))
        if (row := rows.unique().one_or_none()) is not None:
            return row
    raise DossierNotFound


def _select_visible(
    query: Select[Found], code: str, limits: Limits
) -> tuple[Select[Found], dict[str, str | list[str]]]:
    values: dict[str, str | list[str]] = {"code": code}
    if limits.procedures is not None:
        values["procedures"] = sorted(limits.procedures)
    if limits.agencies is not None:
        values["agencies"] = sorted(limits.agencies)
    return _build_visible_query(query, frozenset(values)), values


def reaches_procedure(procedure: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Match the codes of a right or their national codes, as `shared.codes.coverage` does."""
    any_code = any_(bindparam("procedures", type_=ARRAY(String)))
    return is_procedure_covered(procedure, any_code, national=cut_to_national_code(procedure))


_CODE_ASKED = bindparam("code", type_=String)
_CONDITIONS: Mapping[str, ColumnElement[bool]] = {
    "code": Dossier.code == _CODE_ASKED,
    "procedures": reaches_procedure(Dossier.procedure),
    "agencies": select(DossierParty.dossier)
    .where(
        DossierParty.dossier == _CODE_ASKED,
        DossierParty.agency == any_(bindparam("agencies", type_=ARRAY(String))),
    )
    .exists(),
}


@cache
def _build_visible_query(query: Select[Found], names: frozenset[str]) -> Select[Found]:
    """Build each query once: to build it takes longer than to read the dossier."""
    return query.where(*(condition for name, condition in _CONDITIONS.items() if name in names))


async def list_steps(
    session: AsyncSession, code: str, *, after: int, limit: int
) -> list[DossierStep]:
    query = (
        select(DossierStep)
        .where(DossierStep.dossier == code, DossierStep.version > after)
        .order_by(DossierStep.version)
        .limit(limit)
    )
    return list((await session.scalars(query)).all())


async def lock_stale_dossiers(session: AsyncSession, *, limit: int) -> list[Dossier]:
    """Lock open dossiers whose provisional due date rests on a calendar that has changed."""
    parts = func.string_to_array(Dossier.due_calendar, " ", type_=ARRAY(TEXT))
    stale = not_(parts.contained_by(_list_present_calendars()))
    query = (
        select(Dossier)
        .where(text(PROVISIONAL_OPEN), stale)
        .order_by(Dossier.code)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list((await session.scalars(query)).all())


def _list_present_calendars() -> ColumnElement[list[str]]:
    # A year that is left out would be stale for ever.
    years = range(FIRST_DAY.year, LAST_DAY.year + 1)
    return literal(list_current_bases(years), ARRAY(TEXT))


async def list_moves(session: AsyncSession, dossiers: Sequence[Dossier]) -> list[DossierStep]:
    """Return the moves of the dossiers, those of one in their order."""
    query = (
        select(DossierStep)
        .where(
            DossierStep.dossier.in_([dossier.code for dossier in dossiers]),
            DossierStep.act == "moved",
        )
        .order_by(DossierStep.dossier, DossierStep.version)
    )
    return list((await session.scalars(query)).all())


async def update_listed_due_date(session: AsyncSession, dossier: Dossier) -> None:
    """Set the due date in the list rows of the dossier to its present one."""
    party = update(DossierParty).where(DossierParty.dossier == dossier.code)
    due = {"due_at": dossier.due_at, "overdue_from": dossier.overdue_from}
    await session.execute(party.values(due))


def defer_party_update(session: AsyncSession, dossier: Dossier) -> None:
    """Defer the update of the dossier's list rows to its present status and times."""
    standing = {
        "party_dossier": [dossier.code],
        "party_status": [int(dossier.status)],
        "party_due_at": [dossier.due_at],
        "party_finished_at": [dossier.finished_at],
        "party_overdue_from": [dossier.overdue_from],
    }
    defer_write(session, _RESTATE, standing)


# The later of two steps of one dossier counts.
_RESTATE = (
    "UPDATE dossier_party AS party SET status = last.status, due_at = last.due_at,"
    " finished_at = last.finished_at, overdue_from = last.overdue_from"
    " FROM (SELECT DISTINCT ON (dossier) * FROM"
    " unnest(CAST(:party_dossier AS text[]), CAST(:party_status AS smallint[]),"
    " CAST(:party_due_at AS timestamptz[]), CAST(:party_finished_at AS timestamptz[]),"
    " CAST(:party_overdue_from AS date[]))"
    " WITH ORDINALITY AS change (dossier, status, due_at, finished_at, overdue_from, place)"
    " ORDER BY dossier, place DESC) AS last WHERE party.dossier = last.dossier"
)
