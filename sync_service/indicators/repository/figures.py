"""One question to an indicator, and its answer out of the tallies."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    String,
    and_,
    any_,
    bindparam,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.agency import canonical_agency_code
from shared.codes.procedure import national_code
from shared.web.calls.rights import Limits, Right
from sync_service.agencies.hierarchy import COUNTRY, covers, roots
from sync_service.agencies.models import Agency
from sync_service.agencies.problems import AgencyNotFound, ProcedureNotFound
from sync_service.indicators.counters import ALL_PROCEDURES, Part
from sync_service.indicators.formulas import FORMULAS, Figure
from sync_service.indicators.models import TallyCell, TallyState
from sync_service.indicators.periods import Period
from sync_service.indicators.problems import AgencyMissing, RightTooNarrow
from sync_service.indicators.ranking import KEY, Place, Ranked, Ranking, ranking
from sync_service.indicators.rules import IndicatorId, Rule
from sync_service.national_view.filters import in_plan

GroupBy = Literal["agency", "procedure", "channel"]

WHOLE = ""
PARTS = {
    "receives": [Part.RECEIVED.value, Part.BOTH.value],
    "decides": [Part.DECIDES.value, Part.BOTH.value],
}


@dataclass(frozen=True, slots=True)
class Question:
    """`as_at` is the day as of which open dossiers are judged; `procedures` None means all.

    Of the groups `limit` at most are told of, from the first behind `after` on.
    """

    indicator: IndicatorId
    rule: Rule
    agency: str
    level: str | None
    procedures: Sequence[str] | None
    period: Period
    as_at: date
    group_by: GroupBy | None
    limit: int
    after: Place | None


@dataclass(frozen=True, slots=True)
class Answer:
    """`page` is of `total` groups; `changes` of dossiers had been counted, the last one `at`."""

    whole: Figure
    page: Sequence[Ranked]
    total: int
    names: Mapping[str, str | None]
    changes: int
    at: datetime


def select_limits(right: Right, agency: str | None, procedure: str | None) -> Limits:
    """Return the first alternative that covers what is named: figures cannot be added up.

    Where none does return the first one of all, which says why.
    """
    found = (
        limits
        for limits in right.alternatives
        if (agency is None or covers(limits.agencies, agency))
        and (procedure is None or limits.covers_procedure(national_code(procedure)))
    )
    return next(found, right)


def asked_agency(limits: Limits, agency: str | None) -> str:
    """The one named, else what the right reaches where that is one; 404 outside the right."""
    if agency is not None:
        if not covers(limits.agencies, agency):
            raise AgencyNotFound
        return canonical_agency_code(agency)
    reach = roots(limits.agencies)
    if len(reach) != 1:
        raise AgencyMissing("Your right reaches several agencies: name one of them.")
    return reach[0]


def asked_procedures(limits: Limits, procedure: str | None) -> Sequence[str] | None:
    """National codes, with which the localised forms are counted; None means all."""
    if limits.procedures is None:
        return None if procedure is None else [national_code(procedure)]
    localised = sorted(code for code in limits.procedures if code != national_code(code))
    if procedure is None and localised:
        raise RightTooNarrow(f"It is limited to {', '.join(localised)}: name another procedure.")
    if procedure is None:
        return sorted(limits.procedures)
    national = national_code(procedure)
    if limits.covers_procedure(national):
        return [national]
    if national in map(national_code, localised):
        raise RightTooNarrow(f"It reaches only localised forms of {national}.")
    raise ProcedureNotFound


async def answer(session: AsyncSession, question: Question) -> Answer:
    # One snapshot: the figures, and how many changes they hold, belong together.
    await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    state = await session.get_one(TallyState, 1)
    found = await _ranking(session, question)
    whole = found.whole
    if question.group_by == "agency" and question.level is None:
        # What the agency does itself is in none of those below it.
        whole = (await _ranking(session, replace(question, group_by=None))).whole
    return Answer(
        whole=whole,
        page=found.page,
        total=found.total,
        names=await _names(session, {question.agency, *(each.place.key for each in found.page)}),
        changes=state.changes,
        at=state.at,
    )


async def _names(session: AsyncSession, keys: Collection[str]) -> dict[str, str | None]:
    """Of those that are agencies."""
    query = select(Agency.code, Agency.name).where(Agency.code == _any(keys))
    return {row.code: row.name for row in await session.execute(query)}


async def _ranking(session: AsyncSession, question: Question) -> Ranking:
    formula = FORMULAS[question.indicator]
    sums = [
        func.coalesce(func.sum(TallyCell.count).filter(condition), 0).cast(BigInteger).label(name)
        for name, condition in formula.conditions(question.as_at).items()
    ]
    of_level = [] if question.level is None else await _of_level(session, question)
    beneath: Collection[str] = []
    if question.group_by == "agency" or (of_level and question.group_by is None):
        groups = _by_agency(question, sums)
        beneath = set(of_level).difference(roots(of_level))
    else:
        groups = _by_key(question, sums, roots(of_level) if question.level else [question.agency])
    return await ranking(
        session, groups, formula, beneath=beneath, after=question.after, limit=question.limit
    )


async def _of_level(session: AsyncSession, question: Question) -> Sequence[str]:
    return (await session.scalars(select(Agency.code).where(*_compared(question)))).all()


def _compared(question: Question) -> list[ColumnElement[bool]]:
    """Agencies of the level asked for, else those directly below the agency."""
    if question.level is None:
        return [Agency.above == question.agency]
    conditions = [Agency.level == in_plan(question.level)]
    if question.agency != COUNTRY:
        below = Agency.code.startswith(question.agency + ".", autoescape=True)
        conditions.append(or_(Agency.code == question.agency, below))
    return conditions


def _by_agency(question: Question, sums: Sequence[ColumnElement[int]]) -> Select[*tuple[Any, ...]]:
    """All that are compared, also those that have no cell."""
    own_cells = and_(TallyCell.agency == Agency.code, *_cells(question))
    query = select(Agency.code.label(KEY), *sums).outerjoin(TallyCell, own_cells)
    return query.where(*_compared(question)).group_by(Agency.code)


def _by_key(
    question: Question, sums: Sequence[ColumnElement[int]], agencies: Collection[str]
) -> Select[*tuple[Any, ...]]:
    """All that have cells; they lie apart and leave nothing out."""
    keys: dict[str | None, ColumnElement[Any]] = {
        "procedure": TallyCell.procedure.expression,
        "channel": TallyCell.channel.expression,
    }
    key = keys.get(question.group_by, literal(WHOLE))
    cells = _cells(question, by_procedure=question.group_by == "procedure")
    query = select(key.cast(String).label(KEY), *sums)
    return query.where(TallyCell.agency == _any(agencies), *cells).group_by(key)


def _cells(question: Question, *, by_procedure: bool = False) -> list[ColumnElement[bool]]:
    cell = TallyCell
    spans = [
        and_(
            cell.grain == in_plan(span.grain.value),
            cell.received_on.between(in_plan(span.first), in_plan(span.last)),
        )
        for span in question.period.spans()
    ]
    if question.procedures is not None:
        procedures = cell.procedure == _any(question.procedures)
    elif by_procedure:
        procedures = cell.procedure != in_plan(ALL_PROCEDURES)
    else:
        procedures = cell.procedure == in_plan(ALL_PROCEDURES)
    return [cell.part.in_(PARTS[question.rule.counts_for]), procedures, or_(*spans)]


def _any(values: Collection[str]) -> ColumnElement[Any]:
    return any_(bindparam(None, sorted(values), type_=ARRAY(String)))
