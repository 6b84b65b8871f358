"""The figure of an indicator, and the counts from which it follows."""

from dataclasses import dataclass, field
from decimal import Decimal

Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class Figure:
    """A computed indicator.

    `value` is None where the denominator is 0; a rate is in percent, rounded to two decimals.
    """

    value: Decimal | None
    numerator: int
    denominator: int | None
    counts: Counts
    notes: list[str] = field(default_factory=list)
