"""The place of a group among others, by its figure. Pure."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Final, NamedTuple

from pydantic import Field, StringConstraints

from sync_service.indicators.formulas import Figure

KEY: Final = "key"
# Among heights, of which the smallest stands first: no figure is below zero.
WITHOUT_FIGURE: Final = Decimal(1)

# What a cursor may hold is what the database can take.
Height = Annotated[Decimal, Field(max_digits=20, decimal_places=2)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.]{0,60}$")]


class Place(NamedTuple):
    """Where a group stands, whatever the others do: the next page begins after it."""

    height: Decimal
    key: str


class Ranked(NamedTuple):
    """Who shows the same value shares the rank; who shows none stands last, without a rank."""

    rank: int | None
    place: Place
    figure: Figure


class Ranking(NamedTuple):
    """`page` is of `total` groups."""

    whole: Figure
    total: int
    page: Sequence[Ranked]
