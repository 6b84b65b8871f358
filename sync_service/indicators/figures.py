"""The formulas: what of the tallies is counted, and how counts become a figure. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, or_

from shared.events.codes import Channel
from sync_service.indicators import IndicatorId
from sync_service.models import TallyCell
from sync_service.tallies import Handling

HUNDRED = Decimal(100)
SHOWN = Decimal("0.01")

Counts = dict[str, int]
Conditions = Mapping[str, ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` is None where there is nothing to divide by; a rate is in percent, rounded."""

    value: Decimal | None
    numerator: int
    denominator: int | None
    counts: Counts
    notes: list[str] = field(default_factory=list)


class Formula(NamedTuple):
    """`conditions` says which cells each count sums; open dossiers are judged as of a day."""

    conditions: Callable[[date], Conditions]
    figure: Callable[[Counts], Figure]


def by_channel(_: date) -> Conditions:
    return {channel.slug: TallyCell.channel == channel.value for channel in Channel}


def received_by_channel(counts: Counts) -> Figure:
    total = sum(counts.values())
    return Figure(Decimal(total), total, None, {**counts, "total": total})


def by_standing(as_at: date) -> Conditions:
    """Only open dossiers have a due day here: of the others the outcome tells all."""
    outcome, due_on = TallyCell.outcome, TallyCell.due_on
    undue = (outcome == Handling.OPEN.value) & due_on.is_(None)
    return {
        "ended_in_time": outcome == Handling.ENDED_IN_TIME.value,
        "ended_late": outcome == Handling.ENDED_LATE.value,
        "open_in_time": or_(outcome == Handling.REQUESTED_IN_TIME.value, due_on >= as_at),
        "open_late": or_(outcome == Handling.REQUESTED_LATE.value, due_on < as_at),
        "without_due_date": or_(outcome == Handling.ENDED_WITHOUT_DUE.value, undue),
    }


def on_time(counts: Counts) -> Figure:
    """QĐ 766, 2.1: (ended in time + open in time) / all received that have a due date."""
    numerator = counts["ended_in_time"] + counts["open_in_time"]
    denominator = numerator + counts["ended_late"] + counts["open_late"]
    notes = []
    if denominator == 0:
        notes.append("No dossier with a due date was received in the period: there is no rate.")
    if apart := counts["without_due_date"]:
        notes.append(f"{apart} dossiers without a due date are not in the rate.")
    return Figure(_rate(numerator, denominator), numerator, denominator, counts, notes)


def _rate(numerator: int, denominator: int) -> Decimal | None:
    if denominator == 0:
        return None
    return (HUNDRED * numerator / denominator).quantize(SHOWN, ROUND_HALF_UP)


FORMULAS: Final[Mapping[IndicatorId, Formula]] = MappingProxyType(
    {
        "received_by_channel": Formula(by_channel, received_by_channel),
        "on_time": Formula(by_standing, on_time),
    }
)
