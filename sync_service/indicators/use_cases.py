"""Count each change of dossiers, read the indicators from the counters, and verify these."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.agency import canonical_agency_code
from shared.codes.enums import Channel
from shared.codes.procedure import parse_national_code
from shared.web.calls.rights import Limits, Right
from shared.web.pagination import CursorUnreadable, PageQuery
from sync_service.agencies.hierarchy import covers, roots
from sync_service.agencies.problems import AgencyNotFound, ProcedureNotFound
from sync_service.agencies.schemas import AgencyOut
from sync_service.agencies.use_cases import find_names
from sync_service.indicators.counters import Cell, Grain, Part, changes
from sync_service.indicators.formulas import FORMULAS, Figure
from sync_service.indicators.periods import parse_period
from sync_service.indicators.problems import (
    AgencyMissing,
    IndicatorNotFound,
    NoRuleInForce,
    RightTooNarrow,
)
from sync_service.indicators.ranking import Height, Key, Place, Ranked
from sync_service.indicators.repository import counters, figures, verification
from sync_service.indicators.repository.figures import Question
from sync_service.indicators.rules import GroupBy, IndicatorId, in_force
from sync_service.indicators.schemas import (
    AsOf,
    GroupOut,
    Groups,
    IndicatorAnswer,
    IndicatorOut,
    IndicatorQuery,
)
from sync_service.national_view.handling import Handling
from sync_service.national_view.state import Change


@dataclass(frozen=True, slots=True)
class Answer:
    """`page` is of `total` groups; `changes` of dossiers were counted, the last one at `at`."""

    whole: Figure
    page: Sequence[Ranked]
    total: int
    names: Mapping[str, str | None]
    changes: int
    at: datetime


async def count_changes(session: AsyncSession, pairs: Collection[Change]) -> None:
    """Change the counters by changed dossiers."""
    await counters.add_counts(session, changes(pairs), changes=len(pairs))


def list_indicators(today: date) -> list[IndicatorOut]:
    """Return the rules in force today."""
    found = ((each, in_force(each, today)) for each in get_args(IndicatorId))
    return [
        IndicatorOut(indicator=each, rule_version=rule[0], **rule[1].model_dump())
        for each, rule in found
        if rule
    ]


async def read_indicator(
    session: AsyncSession, indicator: str, asked: IndicatorQuery, *, right: Right, today: date
) -> IndicatorAnswer:
    """Return the figures of one indicator.

    Raise IndicatorNotFound, NoRuleInForce, PeriodUnreadable, CursorUnreadable, or a problem of the
    right: AgencyNotFound, AgencyMissing, ProcedureNotFound, RightTooNarrow.
    """
    known = _known(indicator)
    period = parse_period(asked.period)
    if (rule := in_force(known, period.last)) is None:
        raise NoRuleInForce
    limits = select_limits(right, asked.agency, asked.procedure)
    paging = asked.paging
    ranking = asked.ranking_of(known)
    question = Question(
        indicator=known,
        rule=rule[1],
        agency=asked_agency(limits, asked.agency),
        level=asked.level,
        procedures=asked_procedures(limits, asked.procedure),
        period=period,
        as_at=min(period.last, today),
        group_by=asked.group_by,
        limit=paging.limit + 1,
        after=_after(paging, ranking, asked.group_by),
    )
    found = await answer(session, question)
    groups = _groups(found, asked.group_by, paging, ranking) if asked.group_by else None
    return _shown(question, found, rule_version=rule[0], procedure=asked.procedure, groups=groups)


def _shown(
    question: Question,
    found: Answer,
    *,
    rule_version: date,
    procedure: str | None,
    groups: Groups | None,
) -> IndicatorAnswer:
    told = {"title", "unit", "formula_id", "formula", "source"}
    return IndicatorAnswer(
        **_figure(found.whole),
        **question.rule.model_dump(include=told),
        indicator=question.indicator,
        rule_version=rule_version,
        first=question.period.first,
        last=question.period.last,
        agency=AgencyOut(code=question.agency, name=found.names.get(question.agency)),
        level=question.level,
        procedure=procedure,
        groups=groups,
        as_of=AsOf(changes=found.changes, at=found.at, day=question.as_at),
    )


def _known(indicator: str) -> IndicatorId:
    for each in FORMULAS:
        if each == indicator:
            return each
    raise IndicatorNotFound("GET /sync/v1/indicators lists them.")


def select_limits(right: Right, agency: str | None, procedure: str | None) -> Limits:
    """Return the first alternative that covers the named agency and procedure.

    Figures of several alternatives cannot be added up. Where none covers them, return the first of
    all, by which the request is then refused.
    """
    found = (
        limits
        for limits in right.alternatives
        if (agency is None or covers(limits.agencies, agency))
        and (procedure is None or limits.covers_procedure(parse_national_code(procedure)))
    )
    return next(found, right)


def asked_agency(limits: Limits, agency: str | None) -> str:
    """Return the named agency, or the only one that the right reaches.

    Raise AgencyNotFound outside the right, and AgencyMissing where the right reaches several.
    """
    if agency is not None:
        if not covers(limits.agencies, agency):
            raise AgencyNotFound
        return canonical_agency_code(agency)
    reach = roots(limits.agencies)
    if len(reach) != 1:
        raise AgencyMissing("Your right reaches several agencies: name one of them in agency.")
    return reach[0]


def asked_procedures(limits: Limits, procedure: str | None) -> Sequence[str] | None:
    """Return national codes, each counted with its localised forms; None means all.

    Raise ProcedureNotFound outside the right, and RightTooNarrow where the right reaches only
    localised forms of a procedure.
    """
    if limits.procedures is None:
        return None if procedure is None else [parse_national_code(procedure)]
    localised = sorted(code for code in limits.procedures if code != parse_national_code(code))
    if procedure is None and localised:
        raise RightTooNarrow(f"It is limited to {', '.join(localised)}: name another procedure.")
    if procedure is None:
        return sorted(limits.procedures)
    national = parse_national_code(procedure)
    if limits.covers_procedure(national):
        return [national]
    if national in map(parse_national_code, localised):
        raise RightTooNarrow(f"It reaches only localised forms of {national}.")
    raise ProcedureNotFound


def _after(paging: PageQuery, ranking: str, group_by: GroupBy | None) -> Place | None:
    """Raise CursorUnreadable for a cursor of another ranking, or one without `group_by`."""
    if paging.after is not None and group_by is None:
        raise CursorUnreadable
    after = paging.key(Literal[ranking], Height, Key)
    return Place(*after[1:]) if after else None


async def answer(session: AsyncSession, question: Question) -> Answer:
    state = await figures.read_state(session)
    found = await figures.rank_groups(session, question)
    whole = found.whole
    if question.group_by == "agency" and question.level is None:
        # The dossiers that the agency handles itself are in no agency below it.
        whole = (await figures.rank_groups(session, replace(question, group_by=None))).whole
    return Answer(
        whole=whole,
        page=found.page,
        total=found.total,
        names=await find_names(
            session, {question.agency, *(each.place.key for each in found.page)}
        ),
        changes=state.changes,
        at=state.at,
    )


def _figure(figure: Figure) -> dict[str, Any]:
    """Return the members of a FigureOut."""
    value = figure.value
    whole = value is not None and figure.denominator is None
    return {
        "value": None if value is None else int(value) if whole else float(value),
        "numerator": figure.numerator,
        "denominator": figure.denominator,
        "counts": figure.counts,
        "notes": figure.notes,
    }


def _groups(found: Answer, group_by: GroupBy, paging: PageQuery, ranking: str) -> Groups:
    page, following = paging.cut(
        list(found.page), lambda group: (ranking, str(group.place.height), group.place.key)
    )
    items = [
        GroupOut(
            **_figure(each.figure),
            rank=each.rank,
            key=_key(each.place.key, group_by),
            name=found.names.get(each.place.key),
        )
        for each in page
    ]
    return Groups(items=items, next=following, total=found.total)


def _key(key: str, group_by: GroupBy) -> str:
    return Channel(int(key)).slug if group_by == "channel" else key


class CounterCheck(NamedTuple):
    """The number of counters that were compared, and a line for each one that is wrong."""

    compared: int
    differences: Sequence[str]


async def verify_counters(session: AsyncSession) -> CounterCheck:
    """Compare the stored counters with a recount of all dossiers, both as of one instant."""
    await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    stored = await verification.read_cells(session)
    expected = await verification.recount_cells(session)
    cells = stored.keys() | expected.keys()
    wrong = [cell for cell in cells if stored.get(cell, 0) != expected.get(cell, 0)]
    differences = [
        f"{_describe_cell(cell)}: {stored.get(cell, 0)} kept, {expected.get(cell, 0)} counted"
        for cell in sorted(wrong, key=str)
    ]
    return CounterCheck(len(cells), differences)


def _describe_cell(cell: Cell) -> str:
    part, grain, outcome = Part(cell.part), Grain(cell.grain), Handling(cell.outcome)
    due = f", due {cell.due_on}" if cell.due_on else ""
    return (
        f"{cell.agency} {part.name}, {grain.name} {cell.received_on}, "
        f"procedure {cell.procedure or 'all'}, channel {cell.channel}, {outcome.name}{due}"
    )
