"""The figures of one indicator query, read from the counters."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, String, and_, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.agencies.hierarchy import roots
from sync_service.agencies.statements import select_below
from sync_service.database import any_text, in_plan
from sync_service.indicators.counters import ALL_PROCEDURES, Part
from sync_service.indicators.formulas import FORMULAS
from sync_service.indicators.models import TallyCell, TallyState
from sync_service.indicators.periods import Period
from sync_service.indicators.ranking import KEY, Place, Ranking
from sync_service.indicators.repository.ranking import ranking
from sync_service.indicators.rules import GroupBy, IndicatorId, Rule

WHOLE = ""
PARTS = {
    "receives": [Part.RECEIVED.value, Part.BOTH.value],
    "decides": [Part.DECIDES.value, Part.BOTH.value],
}


@dataclass(frozen=True, slots=True)
class Question:
    """An indicator with its rule, its agency and its period.

    `as_at` is the day as of which open dossiers are judged; `procedures` None means all. The page
    has at most `limit` groups and begins with the first group after `after`.
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


async def read_state(session: AsyncSession) -> TallyState:
    """Return the number of counted changes, of the same snapshot as all later reads.

    The figures and the number of changes in them belong together.
    """
    await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    return await session.get_one(TallyState, 1)


async def rank_groups(session: AsyncSession, question: Question) -> Ranking:
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
    return (await session.scalars(select_below(question.agency, question.level))).all()


def _by_agency(question: Question, sums: Sequence[ColumnElement[int]]) -> Select[*tuple[Any, ...]]:
    """Return the sums of each compared agency, 0 for one without cells."""
    compared = select_below(question.agency, question.level).subquery("compared")
    own_cells = and_(TallyCell.agency == compared.c.code, *_cells(question))
    query = select(compared.c.code.label(KEY), *sums).outerjoin_from(compared, TallyCell, own_cells)
    return query.group_by(compared.c.code)


def _by_key(
    question: Question, sums: Sequence[ColumnElement[int]], agencies: Collection[str]
) -> Select[*tuple[Any, ...]]:
    """Return the sums of each key that has cells; the groups are disjoint and complete."""
    keys: dict[str | None, ColumnElement[Any]] = {
        "procedure": TallyCell.procedure.expression,
        "channel": TallyCell.channel.expression,
    }
    key = keys.get(question.group_by, literal(WHOLE))
    cells = _cells(question, by_procedure=question.group_by == "procedure")
    query = select(key.cast(String).label(KEY), *sums)
    return query.where(TallyCell.agency == any_text(agencies), *cells).group_by(key)


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
        procedures = cell.procedure == any_text(question.procedures)
    elif by_procedure:
        procedures = cell.procedure != in_plan(ALL_PROCEDURES)
    else:
        procedures = cell.procedure == in_plan(ALL_PROCEDURES)
    return [cell.part.in_(PARTS[question.rule.counts_for]), procedures, or_(*spans)]
