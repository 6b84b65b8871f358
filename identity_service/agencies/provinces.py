"""Map the 63 provinces until 30 June 2025 to the 34 since then, and today's communes to these.

`provinces.tsv` holds one row for each old province: prefix in the 12-digit number, agency code
(QĐ 20/2020; confirmed or not), and the province of today. Communes come from `vietnam_provinces`.
"""

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints
from vietnam_provinces import Ward

Prefix = Annotated[str, StringConstraints(pattern=r"^0\d{2}$")]
ProvinceCode = Annotated[str, StringConstraints(pattern=r"^\d{2}$")]
LevelOneCode = Annotated[str, StringConstraints(pattern=r"^H\d{2}$")]


class OldProvince(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    prefix: Prefix
    name: str
    agency_code: LevelOneCode
    confirmed: bool
    current_code: ProvinceCode
    current_name: str

    @property
    def code(self) -> str:
        """Return the two-digit code that addresses used until 30 June 2025."""
        return self.prefix[1:]

    @property
    def survives(self) -> bool:
        """Return whether today's province has this one's name, and so keeps its agency code."""
        return self.name == self.current_name


@cache
def read_old_provinces() -> tuple[OldProvince, ...]:
    with (Path(__file__).with_name("data") / "provinces.tsv").open(encoding="utf-8") as file:
        return tuple(
            OldProvince.model_validate(row) for row in csv.DictReader(file, delimiter="\t")
        )


@cache
def map_current_codes() -> Mapping[str, str]:
    """Return today's code for each two-digit province code, old or new.

    Each code of today is also an old code, which maps to itself.
    """
    return {province.code: province.current_code for province in read_old_provinces()}


@cache
def list_abolished_codes() -> frozenset[str]:
    """Return the province codes that have not been in use since 1 July 2025."""
    codes = map_current_codes()
    return frozenset(code for code, current in codes.items() if code != current)


@cache
def map_communes_to_provinces() -> Mapping[str, str]:
    """Return today's two-digit province code by the five-digit code of each of 3,321 communes."""
    return {f"{ward.code:05d}": f"{ward.province_code:02d}" for ward in Ward.iter_all()}
