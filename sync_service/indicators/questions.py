"""One question to an indicator, and its answer out of the tallies."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
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

from shared.auth import Right
from shared.events.codes import Channel, national_code
from sync_service.agencies import COUNTRY, covers, roots, today_form
from sync_service.indicators import IndicatorId, Rule
from sync_service.indicators.figures import FORMULAS, Counts, Figure
from sync_service.models import Agency, TallyCell, TallyState
from sync_service.periods import Period
from sync_service.problems import (
    AgencyMissing,
    AgencyNotFound,
    ProcedureNotFound,
    RightTooNarrow,
)
from sync_service.tallies import ALL_PROCEDURES, Part

GroupBy = Literal["agency", "procedure", "channel"]

WHOLE = ""
PARTS = {
    "receives": [Part.RECEIVED.value, Part.BOTH.value],
    "decides": [Part.DECIDES.value, Part.BOTH.value],
}


@dataclass(frozen=True, slots=True)
class Question:
    """`as_at` is the day as of which open dossiers are judged; `procedures` None means all."""

    indicator: IndicatorId
    rule: Rule
    agency: str
    level: str | None
    procedures: Sequence[str] | None
    period: Period
    as_at: date
    group_by: GroupBy | None


@dataclass(frozen=True, slots=True)
class Answer:
    """`names` of the agencies in it; `changes` of dossiers had been counted, the last one `at`."""

    whole: Figure
    groups: Mapping[str, Figure]
    names: Mapping[str, str | None]
    changes: int
    at: datetime


def asked_agency(right: Right, agency: str | None) -> str:
    """The one named, else what the right reaches where that is one; 404 outside the right."""
    if agency is not None:
        if not covers(right.agencies, agency):
            raise AgencyNotFound
        return today_form(agency)
    reach = roots(right.agencies)
    if len(reach) != 1:
        raise AgencyMissing("Your right reaches several agencies: name one of them.")
    return reach[0]


def asked_procedures(right: Right, procedure: str | None) -> Sequence[str] | None:
    """National codes, with which the localised forms are counted; None means all."""
    if right.procedures is None:
        return None if procedure is None else [national_code(procedure)]
    localised = sorted(code for code in right.procedures if code != national_code(code))
    if procedure is None and localised:
        raise RightTooNarrow(f"It is limited to {', '.join(localised)}: name another procedure.")
    if procedure is None:
        return sorted(right.procedures)
    national = national_code(procedure)
    if right.covers_procedure(national):
        return [national]
    if national in map(national_code, localised):
        raise RightTooNarrow(f"It reaches only localised forms of {national}.")
    raise ProcedureNotFound


async def answer(session: AsyncSession, question: Question) -> Answer:
    # One snapshot: the figures, and how many changes they hold, belong together.
    await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    state = await session.get_one(TallyState, 1)
    names = await _agencies(session, question)
    formula = FORMULAS[question.indicator]
    whole = roots(names) if question.level else [question.agency]
    compared = sorted(names) if question.group_by == "agency" else whole
    groups = await _counts(session, question, compared, question.group_by)
    if compared == whole:
        # The groups lie apart and leave nothing out.
        parts = groups.values()
    else:
        parts = (await _counts(session, question, whole, None)).values()
    nothing = dict.fromkeys(formula.conditions(question.as_at), 0)
    if question.group_by == "agency":
        groups = {code: groups.get(code, nothing) for code in names}
    return Answer(
        whole=formula.figure({name: sum(part[name] for part in parts) for name in nothing}),
        groups={key: formula.figure(counts) for key, counts in sorted(groups.items())},
        names=names | await _name(session, question.agency),
        changes=state.changes,
        at=state.at,
    )


async def _agencies(session: AsyncSession, question: Question) -> dict[str, str | None]:
    """Those that are compared: of the level asked for, else those directly below the agency."""
    if question.group_by != "agency" and question.level is None:
        return {}
    query = select(Agency.code, Agency.name)
    if question.level is None:
        query = query.where(Agency.above == question.agency)
    else:
        query = query.where(Agency.level == question.level)
        if question.agency != COUNTRY:
            below = Agency.code.startswith(question.agency + ".", autoescape=True)
            query = query.where(or_(Agency.code == question.agency, below))
    return {row.code: row.name for row in await session.execute(query)}


async def _name(session: AsyncSession, code: str) -> dict[str, str | None]:
    return {code: await session.scalar(select(Agency.name).where(Agency.code == code))}


async def _counts(
    session: AsyncSession,
    question: Question,
    agencies: Collection[str],
    group_by: GroupBy | None,
) -> dict[str, Counts]:
    """One row of sums for each group that has cells: an agency, a procedure or a channel."""
    cell = TallyCell
    keys: dict[GroupBy | None, ColumnElement[Any]] = {
        "agency": cell.agency.expression,
        "procedure": cell.procedure.expression,
        "channel": cell.channel.expression,
    }
    key = keys.get(group_by, literal(WHOLE))
    conditions = FORMULAS[question.indicator].conditions(question.as_at)
    sums = (
        func.coalesce(func.sum(cell.count).filter(condition), 0).cast(BigInteger)
        for condition in conditions.values()
    )
    query = (
        select(key, *sums)
        .where(*_cells(question, agencies, by_procedure=group_by == "procedure"))
        .group_by(key)
    )
    rows = await session.execute(query)
    counts = {group: dict(zip(conditions, sums, strict=True)) for group, *sums in rows}
    if group_by == "channel":
        return {Channel(channel).slug: each for channel, each in counts.items()}
    return counts


def _cells(
    question: Question, agencies: Collection[str], *, by_procedure: bool
) -> list[ColumnElement[bool]]:
    cell = TallyCell
    spans = [
        and_(cell.grain == span.grain.value, cell.received_on.between(span.first, span.last))
        for span in question.period.spans()
    ]
    if question.procedures is not None:
        procedures = cell.procedure == _any(question.procedures)
    elif by_procedure:
        procedures = cell.procedure != ALL_PROCEDURES
    else:
        procedures = cell.procedure == ALL_PROCEDURES
    return [
        cell.agency == _any(agencies),
        cell.part.in_(PARTS[question.rule.counts_for]),
        procedures,
        or_(*spans),
    ]


def _any(values: Collection[str]) -> ColumnElement[Any]:
    return any_(bindparam(None, sorted(values), type_=ARRAY(String)))
