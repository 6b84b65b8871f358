"""The figures of one indicator query, read from the counters."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, String, and_, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.agencies.hierarchy import top_level_codes
from sync_service.agencies.statements import select_below
from sync_service.database import any_text, as_literal
from sync_service.indicators.counters import ALL_PROCEDURES, AgencyRole
from sync_service.indicators.formulas import FORMULAS
from sync_service.indicators.models import CounterCell, CounterState
from sync_service.indicators.periods import Period
from sync_service.indicators.ranking import KEY, Ranking, RankPosition
from sync_service.indicators.repository.ranking import read_ranking
from sync_service.indicators.rules import GroupBy, IndicatorId, Rule

TOTAL = ""
ROLES = {
    "receives": [AgencyRole.RECEIVED.value, AgencyRole.BOTH.value],
    "decides": [AgencyRole.DECIDES.value, AgencyRole.BOTH.value],
}


@dataclass(frozen=True, slots=True)
class IndicatorQuery:
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
    after: RankPosition | None


async def read_state(session: AsyncSession) -> CounterState:
    """Return the number of counted changes, of the same snapshot as all later reads.

    The figures and the number of changes in them belong together.
    """
    await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    return await session.get_one(CounterState, 1)


async def rank_groups(session: AsyncSession, query: IndicatorQuery) -> Ranking:
    formula = FORMULAS[query.indicator]
    sums = [
        func.coalesce(func.sum(CounterCell.count).filter(condition), 0).cast(BigInteger).label(name)
        for name, condition in formula.conditions(query.as_at).items()
    ]
    of_level = [] if query.level is None else await _list_level_agencies(session, query)
    nested: Collection[str] = []
    if query.group_by == "agency" or (of_level and query.group_by is None):
        groups = _group_by_agency(query, sums)
        nested = set(of_level).difference(top_level_codes(of_level))
    else:
        groups = _group_by_key(
            query, sums, top_level_codes(of_level) if query.level else [query.agency]
        )
    return await read_ranking(
        session, groups, formula, nested=nested, after=query.after, limit=query.limit
    )


async def _list_level_agencies(session: AsyncSession, query: IndicatorQuery) -> Sequence[str]:
    return (await session.scalars(select_below(query.agency, query.level))).all()


def _group_by_agency(
    query: IndicatorQuery, sums: Sequence[ColumnElement[int]]
) -> Select[*tuple[Any, ...]]:
    """Return the sums of each compared agency, 0 for one without cells."""
    compared = select_below(query.agency, query.level).subquery("compared")
    own_cells = and_(CounterCell.agency == compared.c.code, *_select_cells(query))
    statement = select(compared.c.code.label(KEY), *sums).outerjoin_from(
        compared, CounterCell, own_cells
    )
    return statement.group_by(compared.c.code)


def _group_by_key(
    query: IndicatorQuery, sums: Sequence[ColumnElement[int]], agencies: Collection[str]
) -> Select[*tuple[Any, ...]]:
    """Return the sums of each key that has cells; the groups are disjoint and complete."""
    keys: dict[str | None, ColumnElement[Any]] = {
        "procedure": CounterCell.procedure.expression,
        "channel": CounterCell.channel.expression,
    }
    key = keys.get(query.group_by, literal(TOTAL))
    cells = _select_cells(query, by_procedure=query.group_by == "procedure")
    statement = select(key.cast(String).label(KEY), *sums)
    return statement.where(CounterCell.agency == any_text(agencies), *cells).group_by(key)


def _select_cells(
    query: IndicatorQuery, *, by_procedure: bool = False
) -> list[ColumnElement[bool]]:
    cell = CounterCell
    spans = [
        and_(
            cell.grain == as_literal(span.grain.value),
            cell.received_on.between(as_literal(span.first), as_literal(span.last)),
        )
        for span in query.period.list_spans()
    ]
    if query.procedures is not None:
        procedures = cell.procedure == any_text(query.procedures)
    elif by_procedure:
        procedures = cell.procedure != as_literal(ALL_PROCEDURES)
    else:
        procedures = cell.procedure == as_literal(ALL_PROCEDURES)
    return [cell.part.in_(ROLES[query.rule.counts_for]), procedures, or_(*spans)]
