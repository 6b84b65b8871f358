from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field, WithJsonSchema

from shared.codes.agency import AgencyCode
from shared.codes.procedure import ProcedureCode
from shared.web.pagination import ListFilter, Page
from sync_service.agencies.hierarchy import LEVEL
from sync_service.indicators.periods import FORMS, PATTERN
from sync_service.indicators.rules import GroupBy, IndicatorId, Rule
from sync_service.schemas import AgencyName

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


class IndicatorFilter(ListFilter):
    """The query of an indicator; `level` sums or compares its agencies below `agency`."""

    period: PeriodText
    agency: AgencyCode | None = Field(None, description="this agency and all below it")
    level: str | None = Field(None, pattern=LEVEL, examples=["commune"])
    procedure: ProcedureCode | None = None
    group_by: GroupBy | None = None


class FigureOut(BaseModel):
    """`value` is in `unit`, a rate with two decimals; null where the denominator is 0."""

    value: int | float | None
    numerator: int
    denominator: int | None
    counts: dict[str, int]
    notes: list[str]


class GroupOut(FigureOut):
    """`rank` counts among all groups; equal values share it, and it is null without a value."""

    rank: int | None
    key: str
    name: str | None


class Groups(Page[GroupOut]):
    """A page of groups, the highest value first; `total` is the number of groups on all pages."""

    total: int


class AsOf(BaseModel):
    """`changes` are counted, the last one at `at`; open dossiers are judged as of `day`."""

    changes: int
    at: datetime
    day: date


class IndicatorAnswer(FigureOut):
    """`first` and `last` are the days of the period; `rule_version` is the day its rule began."""

    indicator: IndicatorId
    title: str
    unit: str
    formula_id: str
    formula: str
    source: str
    rule_version: date
    first: date
    last: date
    agency: AgencyName
    level: str | None
    procedure: str | None
    groups: Groups | None
    as_of: AsOf
