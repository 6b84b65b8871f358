"""The formulas: from counts of dossiers that are alike to a figure. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType
from typing import Final, NamedTuple

from shared.events.codes import Channel
from sync_service.indicators import IndicatorId
from sync_service.tallies import Handling

HUNDRED = Decimal(100)
SHOWN = Decimal("0.01")


class Alike(NamedTuple):
    """`overdue`: due before the day as of which open dossiers are judged; None without due day."""

    channel: int
    outcome: int
    overdue: bool | None
    dossiers: int


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` is None where there is nothing to divide by; a rate is in percent, rounded."""

    value: Decimal | None
    numerator: int
    denominator: int | None
    counts: Mapping[str, int]
    notes: list[str] = field(default_factory=list)


def received_by_channel(alike: Iterable[Alike]) -> Figure:
    by_channel: Counter[int] = Counter()
    for each in alike:
        by_channel[each.channel] += each.dossiers
    counts = {channel.slug: by_channel[channel] for channel in Channel}
    total = sum(counts.values())
    return Figure(Decimal(total), total, None, counts | {"total": total})


def on_time(alike: Iterable[Alike]) -> Figure:
    """QĐ 766, 2.1: (ended in time + open in time) / all received that have a due date."""
    found: Counter[str] = Counter()
    for each in alike:
        found[_standing(each)] += each.dossiers
    names = ("ended_in_time", "ended_late", "open_in_time", "open_late", "without_due_date")
    counts = {name: found[name] for name in names}
    numerator = counts["ended_in_time"] + counts["open_in_time"]
    denominator = numerator + counts["ended_late"] + counts["open_late"]
    notes = []
    if denominator == 0:
        notes.append("No dossier with a due date was received in the period: there is no rate.")
    if apart := counts["without_due_date"]:
        notes.append(f"{apart} dossiers without a due date are not in the rate.")
    return Figure(_rate(numerator, denominator), numerator, denominator, counts, notes)


def _standing(each: Alike) -> str:
    match each.outcome:
        case Handling.ENDED_IN_TIME:
            return "ended_in_time"
        case Handling.ENDED_LATE:
            return "ended_late"
        case Handling.REQUESTED_IN_TIME:
            return "open_in_time"
        case Handling.REQUESTED_LATE:
            return "open_late"
        case Handling.OPEN if each.overdue is not None:
            return "open_late" if each.overdue else "open_in_time"
        case _:
            return "without_due_date"


def _rate(numerator: int, denominator: int) -> Decimal | None:
    if denominator == 0:
        return None
    return (HUNDRED * numerator / denominator).quantize(SHOWN, ROUND_HALF_UP)


FORMULAS: Final[Mapping[IndicatorId, Callable[[Iterable[Alike]], Figure]]] = MappingProxyType(
    {"received_by_channel": received_by_channel, "on_time": on_time}
)
