"""The rules of the indicators, by the day from which they are in force."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

IndicatorId = Literal["received_by_channel", "on_time"]
GroupBy = Literal["agency", "procedure", "channel"]


class Rule(BaseModel):
    """The rule of one indicator.

    A dossier counts for the agency that receives it or the one that decides it (`counts_for`), and
    for all above. `points` is the maximum that the indicator can earn.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    formula_id: str
    formula: str
    counts_for: Literal["receives", "decides"]
    unit: Literal["dossiers", "percent"]
    points: int | None = None
    source: str
    remarks: list[str]


Rules = Mapping[IndicatorId, Rule]
_RULES = TypeAdapter(dict[IndicatorId, Rule])


@cache
def load_versions() -> Mapping[date, Rules]:
    """Return all sets of rules; raise a ValidationError for a file that does not fit."""
    files = sorted(Path(__file__).with_name("data").glob("*.yaml"))
    return MappingProxyType(
        {
            date.fromisoformat(file.stem): _RULES.validate_python(
                yaml.safe_load(file.read_text(encoding="utf-8"))
            )
            for file in files
        }
    )


def find_rule(indicator: IndicatorId, day: date) -> tuple[date, Rule] | None:
    """Return the rule of that day and its version, which is the day from which it is in force."""
    begun = [
        start for start in load_versions() if start <= day and indicator in load_versions()[start]
    ]
    return (max(begun), load_versions()[max(begun)][indicator]) if begun else None
