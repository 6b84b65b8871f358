"""The position of a group among others, by its figure. Pure."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Final, NamedTuple

from pydantic import Field, StringConstraints

from sync_service.indicators.figure import Figure

KEY: Final = "key"
# Heights are negated values, sorted ascending; no value is below zero, so 1 comes last.
WITHOUT_FIGURE: Final = Decimal(1)

# A cursor may hold only values that the database accepts.
Height = Annotated[Decimal, Field(max_digits=20, decimal_places=2)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.]{0,60}$")]


class RankPosition(NamedTuple):
    """The position of a group, independent of others: the next page begins after it."""

    height: Decimal
    key: str


class RankedGroup(NamedTuple):
    """A group with its rank, which equal values share; None without a value, which comes last."""

    rank: int | None
    position: RankPosition
    figure: Figure


class Ranking(NamedTuple):
    """The figure of all groups together, and a page of the `group_count` ranked groups."""

    total: Figure
    group_count: int
    groups: Sequence[RankedGroup]
