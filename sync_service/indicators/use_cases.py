"""Count each change of dossiers, read the indicators from the counters, and verify these."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, NamedTuple, get_args

from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.agency import canonical_agency_code
from shared.codes.enums import Channel
from shared.codes.procedure import parse_national_code
from shared.web.calls.rights import Limits, Right
from shared.web.pagination import CursorUnreadable, Keyset, PageParameters
from sync_service.agencies.hierarchy import top_level_codes
from sync_service.agencies.problems import AgencyNotFound, ProcedureNotFound
from sync_service.agencies.use_cases import list_agency_names
from sync_service.indicators.counters import AgencyRole, Cell, Grain, sum_changes
from sync_service.indicators.figure import Figure
from sync_service.indicators.formulas import FORMULAS
from sync_service.indicators.periods import parse_period
from sync_service.indicators.problems import (
    AgencyMissing,
    IndicatorNotFound,
    NoRuleInForce,
    RightTooNarrow,
)
from sync_service.indicators.ranking import Height, Key, RankedGroup, RankPosition
from sync_service.indicators.repository import counters, figures, verification
from sync_service.indicators.repository.figures import IndicatorQuery
from sync_service.indicators.rules import GroupBy, IndicatorId, find_rule
from sync_service.indicators.schemas import (
    AsOf,
    GroupOut,
    Groups,
    IndicatorAnswer,
    IndicatorFilter,
    IndicatorOut,
)
from sync_service.national_view.handling import Handling
from sync_service.national_view.state import Change
from sync_service.schemas import AgencyName


@dataclass(frozen=True, slots=True)
class IndicatorResult:
    """`groups` is a page of `group_count`; `changes` were counted, the last one at `at`."""

    total: Figure
    groups: Sequence[RankedGroup]
    group_count: int
    names: Mapping[str, str | None]
    changes: int
    at: datetime


async def count_changes(session: AsyncSession, pairs: Collection[Change]) -> None:
    """Change the counters by changed dossiers."""
    await counters.add_counts(session, sum_changes(pairs), changes=len(pairs))


def list_indicators(today: date) -> list[IndicatorOut]:
    """Return the rules in force today."""
    rules = ((indicator, find_rule(indicator, today)) for indicator in get_args(IndicatorId))
    return [
        IndicatorOut(indicator=indicator, rule_version=rule[0], **rule[1].model_dump())
        for indicator, rule in rules
        if rule
    ]


async def read_indicator(
    session: AsyncSession,
    indicator: str,
    filters: IndicatorFilter,
    page: PageParameters,
    *,
    right: Right,
    today: date,
) -> IndicatorAnswer:
    """Return the figures of one indicator.

    Raise IndicatorNotFound, NoRuleInForce, PeriodUnreadable, CursorUnreadable, or a problem of the
    right: AgencyNotFound, AgencyMissing, ProcedureNotFound, RightTooNarrow.
    """
    indicator_id = _require_known(indicator)
    period = parse_period(filters.period)
    if (rule := find_rule(indicator_id, period.last)) is None:
        raise NoRuleInForce
    limits = select_limits(right, filters.agency, filters.procedure)
    keyset = filters.read_keyset(page, indicator_id)
    query = IndicatorQuery(
        indicator=indicator_id,
        rule=rule[1],
        agency=choose_agency(limits, filters.agency),
        level=filters.level,
        procedures=choose_procedures(limits, filters.procedure),
        period=period,
        as_at=min(period.last, today),
        group_by=filters.group_by,
        limit=keyset.limit + 1,
        after=_parse_position(keyset, filters.group_by),
    )
    result = await compute_result(session, query)
    groups = _build_groups(result, filters.group_by, keyset) if filters.group_by else None
    # The counters hold no localised forms.
    procedure = filters.procedure and parse_national_code(filters.procedure)
    return _build_answer(query, result, rule_version=rule[0], procedure=procedure, groups=groups)


def _build_answer(
    query: IndicatorQuery,
    result: IndicatorResult,
    *,
    rule_version: date,
    procedure: str | None,
    groups: Groups | None,
) -> IndicatorAnswer:
    members = {"title", "unit", "formula_id", "formula", "source"}
    return IndicatorAnswer(
        **_dump_figure(result.total),
        **query.rule.model_dump(include=members),
        indicator=query.indicator,
        rule_version=rule_version,
        first=query.period.first,
        last=query.period.last,
        agency=AgencyName(code=query.agency, name=result.names.get(query.agency)),
        level=query.level,
        procedure=procedure,
        groups=groups,
        as_of=AsOf(changes=result.changes, at=result.at, day=query.as_at),
    )


def _require_known(indicator: str) -> IndicatorId:
    for known in FORMULAS:
        if known == indicator:
            return known
    raise IndicatorNotFound


def select_limits(right: Right, agency: str | None, procedure: str | None) -> Limits:
    """Return the first alternative that covers the named agency and procedure.

    Figures of several alternatives cannot be added up. Where none covers them, return the first of
    all, by which the request is then refused.
    """
    covering = (
        limits
        for limits in right.alternatives
        if (agency is None or limits.covers_agency(agency))
        and (procedure is None or limits.covers_procedure(parse_national_code(procedure)))
    )
    return next(covering, right)


def choose_agency(limits: Limits, agency: str | None) -> str:
    """Return the named agency, or the only one that the right reaches.

    Raise AgencyNotFound outside the right, and AgencyMissing where the right reaches several.
    """
    if agency is not None:
        if not limits.covers_agency(agency):
            raise AgencyNotFound
        return canonical_agency_code(agency)
    reach = top_level_codes(limits.agencies)
    if len(reach) != 1:
        raise AgencyMissing
    return reach[0]


def choose_procedures(limits: Limits, procedure: str | None) -> Sequence[str] | None:
    """Return national codes, each counted with its localised forms; None means all.

    Raise ProcedureNotFound outside the right, and RightTooNarrow where the right reaches only
    localised forms of a procedure.
    """
    if limits.procedures is None:
        return None if procedure is None else [parse_national_code(procedure)]
    localised = sorted(code for code in limits.procedures if code != parse_national_code(code))
    if procedure is None and localised:
        raise RightTooNarrow(localised)
    if procedure is None:
        return sorted(limits.procedures)
    national = parse_national_code(procedure)
    if limits.covers_procedure(national):
        return [national]
    if national in map(parse_national_code, localised):
        raise RightTooNarrow(localised, national=national)
    raise ProcedureNotFound


def _parse_position(keyset: Keyset, group_by: GroupBy | None) -> RankPosition | None:
    """Raise CursorUnreadable for a cursor of another form, or one without `group_by`."""
    if keyset.after is not None and group_by is None:
        raise CursorUnreadable
    after = keyset.key(Height, Key)
    return RankPosition(*after) if after else None


async def compute_result(session: AsyncSession, query: IndicatorQuery) -> IndicatorResult:
    state = await figures.read_state(session)
    ranking = await figures.rank_groups(session, query)
    total = ranking.total
    if query.group_by == "agency" and query.level is None:
        # The dossiers that the agency handles itself are in no agency below it.
        total = (await figures.rank_groups(session, replace(query, group_by=None))).total
    return IndicatorResult(
        total=total,
        groups=ranking.groups,
        group_count=ranking.group_count,
        names=await list_agency_names(
            session, {query.agency, *(group.position.key for group in ranking.groups)}
        ),
        changes=state.changes,
        at=state.at,
    )


def _dump_figure(figure: Figure) -> dict[str, Any]:
    """Return the members of a FigureOut."""
    value = figure.value
    is_count = value is not None and figure.denominator is None
    return {
        "value": None if value is None else int(value) if is_count else float(value),
        "numerator": figure.numerator,
        "denominator": figure.denominator,
        "counts": figure.counts,
        "notes": figure.notes,
    }


def _build_groups(result: IndicatorResult, group_by: GroupBy, keyset: Keyset) -> Groups:
    groups, next_cursor = keyset.cut(
        list(result.groups), lambda group: (str(group.position.height), group.position.key)
    )
    items = [
        GroupOut(
            **_dump_figure(group.figure),
            rank=group.rank,
            key=_format_key(group.position.key, group_by),
            name=result.names.get(group.position.key),
        )
        for group in groups
    ]
    return Groups(items=items, next=next_cursor, total=result.group_count)


def _format_key(key: str, group_by: GroupBy) -> str:
    return Channel(int(key)).slug if group_by == "channel" else key


class CounterCheck(NamedTuple):
    """The number of counters that were compared, and a line for each one that is wrong."""

    compared: int
    differences: Sequence[str]


async def verify_counters(session: AsyncSession) -> CounterCheck:
    """Compare the stored counters with a recount of all dossiers, both as of one instant."""
    counts = await _compare_counters(session)
    differences = [
        f"{_describe_cell(cell)}: {stored} stored, {expected} counted"
        for cell, (stored, expected) in sorted(counts.items(), key=lambda item: str(item[0]))
        if stored != expected
    ]
    return CounterCheck(len(counts), differences)


async def compute_corrections(session: AsyncSession) -> Mapping[Cell, int]:
    """Return by how much each wrong counter differs from a recount, both as of one instant."""
    counts = await _compare_counters(session)
    return {
        cell: expected - stored for cell, (stored, expected) in counts.items() if stored != expected
    }


async def correct_counters(session: AsyncSession, corrections: Mapping[Cell, int]) -> None:
    """Add the corrections; changes that were counted meanwhile keep their effect."""
    if corrections:
        await counters.add_to_cells(session, corrections)


async def _compare_counters(session: AsyncSession) -> Mapping[Cell, tuple[int, int]]:
    """Return the stored and the recounted number of each cell, both as of one instant."""
    await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    stored = await verification.read_cells(session)
    expected = await verification.recount_cells(session)
    cells = stored.keys() | expected.keys()
    return {cell: (stored.get(cell, 0), expected.get(cell, 0)) for cell in cells}


def _describe_cell(cell: Cell) -> str:
    part, grain, outcome = AgencyRole(cell.part), Grain(cell.grain), Handling(cell.outcome)
    due = f", due {cell.due_on}" if cell.due_on else ""
    return (
        f"{cell.agency} {part.name}, {grain.name} {cell.received_on}, "
        f"procedure {cell.procedure or 'all'}, channel {cell.channel}, {outcome.name}{due}"
    )
