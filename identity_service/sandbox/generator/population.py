"""Read the distributions of the synthetic population from `population.yaml`, strictly."""

from collections.abc import Mapping
from functools import cache
from itertools import chain, repeat
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

Choice = TypeVar("Choice")
HouseholdKind = Literal[
    "alone", "couple", "couple_with_children", "parent_with_children", "three_generations"
]
Flaw = Literal[
    "other_tone_placement",
    "no_diacritics",
    "extra_spaces",
    "decomposed_unicode",
    "foreign_letter",
    "year_only",
    "day_and_month_exchanged",
    "sex_contradicts_number",
    "birth_year_contradicts_number",
]
PerThousand = Annotated[int, Field(ge=0, le=1000)]
Weights = Annotated[dict[str, PositiveInt], Field(min_length=1)]


class Population(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    surnames: Weights
    male_middle_names: Weights
    female_middle_names: Weights
    male_given_names: Weights
    female_given_names: Weights
    households: dict[HouseholdKind, PositiveInt]
    born_in_home_province: PerThousand
    old_province_residence: PerThousand
    locked: PerThousand
    deceased_at_age: dict[NonNegativeInt, PerThousand]
    known_by_year_only: PerThousand
    known_by_month_only: PerThousand
    flaws: dict[Flaw, PerThousand]

    def deceased_per_thousand(self, age: int) -> int:
        """Return the share of people of `age` whose death is recorded."""
        return self.deceased_at_age[max(start for start in self.deceased_at_age if start <= age)]


@cache
def read_population() -> Population:
    text = (Path(__file__).parents[1] / "data/population.yaml").read_text(encoding="utf-8")
    return Population.model_validate(yaml.safe_load(text))


def spread_weights(weights: Mapping[Choice, int]) -> tuple[Choice, ...]:
    """Return each value as often as its weight, so that one random index draws by weight."""
    return tuple(chain.from_iterable(repeat(value, weight) for value, weight in weights.items()))
