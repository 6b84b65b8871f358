from datetime import date, datetime
from typing import Annotated, Any, Literal, get_args

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from shared.codes.agency import AgencyCode
from shared.codes.enums import Channel
from shared.codes.procedure import ProcedureCode
from shared.codes.time import day_in_viet_nam
from shared.database.session import Session
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.dependencies import Now
from shared.web.pagination import MOST, Cursor, CursorUnreadable, Page, PageQuery
from sync_service.agencies.schemas import AgencyOut
from sync_service.indicators.formulas import FORMULAS, Figure
from sync_service.indicators.periods import FORMS, PATTERN, parse_period
from sync_service.indicators.problems import IndicatorNotFound, NoRuleInForce
from sync_service.indicators.ranking import Height, Key, Place
from sync_service.indicators.repository.figures import (
    Answer,
    GroupBy,
    Question,
    answer,
    asked_agency,
    asked_procedures,
    select_limits,
)
from sync_service.indicators.rules import IndicatorId, Rule, in_force
from sync_service.national_view.filters import LEVEL

router = Router(prefix="/sync/v1/indicators", tags=["indicators"])


# `parse_period` refuses another form with a problem of its own.
PeriodText = Annotated[
    str,
    WithJsonSchema(
        {"type": "string", "pattern": PATTERN, "description": FORMS, "examples": ["2026-11"]}
    ),
]


class IndicatorOut(Rule):
    """A rule; `rule_version` is the day from which it is in force."""

    indicator: IndicatorId
    rule_version: date


class IndicatorQuery(BaseModel):
    """`level` picks the agencies of that level below `agency`, which are summed or compared."""

    model_config = ConfigDict(extra="forbid")

    period: PeriodText
    agency: AgencyCode | None = Field(None, description="with all below it")
    level: str | None = Field(None, pattern=LEVEL, examples=["commune"])
    procedure: ProcedureCode | None = None
    group_by: GroupBy | None = None
    limit: int = Field(50, ge=1, le=MOST, description="how many groups at most")
    after: Cursor | None = Field(None, description="`groups.next` of the page before")

    def ranking_of(self, indicator: str) -> str:
        """What is ranked: a cursor of one ranking has no place in another."""
        asked = self.model_dump(exclude={"limit", "after"}).values()
        return "/".join(map(str, (indicator, *asked)))

    @property
    def paging(self) -> PageQuery:
        """Part of the model, unlike `Paging`: it refuses parameters it does not know."""
        return PageQuery.of(self.limit, self.after)


class FigureOut(BaseModel):
    """`value` in the indicator's unit, a rate rounded to two decimals; None: nothing to divide."""

    value: int | float | None
    numerator: int
    denominator: int | None
    counts: dict[str, int]
    notes: list[str]


class GroupOut(FigureOut):
    """`rank` is that among all groups, shared by equal values; None where there is no value."""

    rank: int | None
    key: str
    name: str | None


class Groups(Page[GroupOut]):
    """The highest value first; `total` is the number of groups on all pages."""

    total: int


class AsOf(BaseModel):
    """`changes` of dossiers are counted, the last one `at`; open ones are judged as of `day`."""

    changes: int
    at: datetime
    day: date


class IndicatorAnswer(FigureOut):
    """`first` and `last` are the days of the period; `rule_version` the day its rule began."""

    indicator: IndicatorId
    title: str
    unit: str
    formula_id: str
    formula: str
    source: str
    rule_version: date
    first: date
    last: date
    agency: AgencyOut
    level: str | None
    procedure: str | None
    groups: Groups | None
    as_of: AsOf


@router.get("")
async def list_indicators(_: Caller, now: Now) -> list[IndicatorOut]:
    """The rules in force today."""
    found = ((each, in_force(each, day_in_viet_nam(now))) for each in get_args(IndicatorId))
    return [
        IndicatorOut(indicator=each, rule_version=rule[0], **rule[1].model_dump())
        for each, rule in found
        if rule
    ]


@router.get("/{indicator}")
async def read_indicator(
    indicator: str,
    session: Session,
    caller: Caller,
    asked: Annotated[IndicatorQuery, Query()],
    now: Now,
) -> IndicatorAnswer:
    """Of dossiers received in the period; groups are ranked, and told of page by page."""
    known = _known(indicator)
    period = parse_period(asked.period)
    if (rule := in_force(known, period.last)) is None:
        raise NoRuleInForce
    limits = select_limits(caller.right, asked.agency, asked.procedure)
    paging = asked.paging
    ranking = asked.ranking_of(known)
    question = Question(
        indicator=known,
        rule=rule[1],
        agency=asked_agency(limits, asked.agency),
        level=asked.level,
        procedures=asked_procedures(limits, asked.procedure),
        period=period,
        as_at=min(period.last, day_in_viet_nam(now)),
        group_by=asked.group_by,
        limit=paging.limit + 1,
        after=_after(paging, ranking, asked.group_by),
    )
    found = await answer(session, question)
    return IndicatorAnswer(
        **_figure(found.whole),
        **rule[1].model_dump(include={"title", "unit", "formula_id", "formula", "source"}),
        indicator=known,
        rule_version=rule[0],
        first=period.first,
        last=period.last,
        agency=AgencyOut(code=question.agency, name=found.names.get(question.agency)),
        level=asked.level,
        procedure=asked.procedure,
        groups=_groups(found, asked.group_by, paging, ranking) if asked.group_by else None,
        as_of=AsOf(changes=found.changes, at=found.at, day=question.as_at),
    )


def _after(paging: PageQuery, ranking: str, group_by: GroupBy | None) -> Place | None:
    """Raise CursorUnreadable where the cursor is of another ranking, or nothing is ranked."""
    if paging.after is not None and group_by is None:
        raise CursorUnreadable
    after = paging.key(Literal[ranking], Height, Key)
    return Place(*after[1:]) if after else None


def _known(indicator: str) -> IndicatorId:
    for each in FORMULAS:
        if each == indicator:
            return each
    raise IndicatorNotFound("GET /sync/v1/indicators lists them.")


def _figure(figure: Figure) -> dict[str, Any]:
    """The members of a FigureOut."""
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
