"""The formulas: the cells that each count sums, and the figure that follows from the counts."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import reduce
from operator import add
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, func, or_

from shared.codes.enums import Channel
from sync_service.indicators.figure import Counts, Figure
from sync_service.indicators.models import CounterCell
from sync_service.indicators.rules import IndicatorId
from sync_service.national_view.handling import Handling

HUNDRED = Decimal(100)
RATE_STEP = Decimal("0.01")

Conditions = Mapping[str, ColumnElement[bool]]
Sums = Mapping[str, ColumnElement[int]]


class Formula(NamedTuple):
    """The three parts of a formula.

    `conditions` selects the cells that each count sums, with open dossiers judged as of a day;
    `figure` computes the figure; `value` is the figure's value in SQL, by which groups are ranked.
    """

    conditions: Callable[[date], Conditions]
    figure: Callable[[Counts], Figure]
    value: Callable[[Sums], ColumnElement[Any]]


def select_by_channel(_: date) -> Conditions:
    return {channel.slug: CounterCell.channel == channel.value for channel in Channel}


def compute_received(counts: Counts) -> Figure:
    total = sum(counts.values())
    return Figure(Decimal(total), total, None, {**counts, "total": total})


def sum_received(sums: Sums) -> ColumnElement[Any]:
    return reduce(add, sums.values())


def select_by_outcome(as_at: date) -> Conditions:
    """Return the conditions of all outcomes; only the cells of open dossiers have a due day."""
    outcome, due_on = CounterCell.outcome, CounterCell.due_on
    undue = (outcome == Handling.OPEN.value) & due_on.is_(None)
    return {
        "ended_in_time": outcome == Handling.ENDED_IN_TIME.value,
        "ended_late": outcome == Handling.ENDED_LATE.value,
        "open_in_time": or_(outcome == Handling.REQUESTED_IN_TIME.value, due_on >= as_at),
        "open_late": or_(outcome == Handling.REQUESTED_LATE.value, due_on < as_at),
        "without_due_date": or_(outcome == Handling.ENDED_WITHOUT_DUE.value, undue),
    }


def compute_on_time(counts: Counts) -> Figure:
    """Compute (ended in time + open in time) / all received that have a due date (QĐ 766, 2.1)."""
    numerator, denominator = _sum_in_time(counts)
    notes = []
    if denominator == 0:
        notes.append("No dossier with a due date was received in the period: there is no rate.")
    if apart := counts["without_due_date"]:
        notes.append(f"{apart} dossiers without a due date are not in the rate.")
    return Figure(_compute_rate(numerator, denominator), numerator, denominator, counts, notes)


def build_rate(sums: Sums) -> ColumnElement[Any]:
    """Return the rate, rounded as the figure is, so that equal figures share a rank."""
    numerator, denominator = _sum_in_time(sums)
    return func.round(HUNDRED * numerator / func.nullif(denominator, 0), 2)


def _sum_in_time(counts: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return numerator and denominator, of counts or of the columns that hold them."""
    numerator = counts["ended_in_time"] + counts["open_in_time"]
    return numerator, numerator + counts["ended_late"] + counts["open_late"]


def _compute_rate(numerator: int, denominator: int) -> Decimal | None:
    if denominator == 0:
        return None
    return (HUNDRED * numerator / denominator).quantize(RATE_STEP, ROUND_HALF_UP)


FORMULAS: Final[Mapping[IndicatorId, Formula]] = MappingProxyType(
    {
        "received_by_channel": Formula(select_by_channel, compute_received, sum_received),
        "on_time": Formula(select_by_outcome, compute_on_time, build_rate),
    }
)
