"""Build the agencies of a new registry: central bodies, provinces old and new, communes.

Codes of communes are synthetic, since real level-2 codes are not published: code of the province,
then 101, 102, ... in the order of ward codes within the province (`H26.101`). The real ward code
stands in `unit_code`.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator
from vietnam_provinces import Province, VietNamDivisionType, Ward

from identity_service.agencies.provinces import read_old_provinces
from shared.codes.agency import AgencyCode, qcvn_agency_code

AgencyLevel = Literal["central", "province", "commune", "enterprise", "other"]

QD_20_IN_FORCE = date(2020, 9, 15)
LAST_DAY_OF_63_PROVINCES = date(2025, 6, 30)
FIRST_DAY_OF_34_PROVINCES = date(2025, 7, 1)
_FIRST_COMMUNE = 101


@dataclass(frozen=True, slots=True)
class AgencySeed:
    code: str  # QĐ 20/2020/QĐ-TTg
    old_code: str | None  # QCVN 102:2016; None where that form cannot express the code
    name: str
    level: AgencyLevel
    parent: str | None
    valid_from: date
    valid_to: date | None  # last day
    successor: str | None  # the agency that continues it after `valid_to`
    unit_code: str | None  # of the administrative unit: province two digits, commune five
    confirmed: bool  # whether the code was read in a source


class _CentralAgency(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    confirmed: bool
    level: AgencyLevel = "central"
    parent: AgencyCode | None = None
    valid_to: date | None = None
    successor: AgencyCode | None = None


class _CentralAgencies(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    agencies: Annotated[dict[AgencyCode, _CentralAgency], Field(min_length=1)]

    @model_validator(mode="after")
    def _require_named_agencies(self) -> "_CentralAgencies":
        named = {code for a in self.agencies.values() for code in (a.parent, a.successor) if code}
        if unknown := named - self.agencies.keys():
            raise ValueError(f"undefined agencies: {sorted(unknown)}")
        return self


@cache
def list_seed_agencies() -> tuple[AgencySeed, ...]:
    """Return all agencies, each code once: parents come before children."""
    return (*_list_central_agencies(), *_list_provinces(), *_list_communes())


def _list_central_agencies() -> Iterator[AgencySeed]:
    text = (Path(__file__).with_name("data") / "central.yaml").read_text(encoding="utf-8")
    for code, agency in _CentralAgencies.model_validate(yaml.safe_load(text)).agencies.items():
        yield AgencySeed(
            code=code,
            old_code=qcvn_agency_code(code),
            name=agency.name,
            level=agency.level,
            parent=agency.parent,
            valid_from=QD_20_IN_FORCE,
            valid_to=agency.valid_to,
            successor=agency.successor,
            unit_code=None,
            confirmed=agency.confirmed,
        )


def _map_surviving_codes() -> dict[str, str]:
    """Return the agency code that each of the 34 provinces keeps, by its two-digit code."""
    return {old.current_code: old.agency_code for old in read_old_provinces() if old.survives}


def _list_provinces() -> Iterator[AgencySeed]:
    """Yield an agency for each of the 63 provinces; the 34 that remain keep their code."""
    surviving = _map_surviving_codes()
    cities = {
        f"{province.code:02d}"
        for province in Province.iter_all()
        if province.division_type is VietNamDivisionType.THANH_PHO_TRUNG_UONG
    }
    for old in read_old_provinces():
        # No city of central rank was merged into another province.
        kind = "thành phố" if old.survives and old.current_code in cities else "tỉnh"
        yield AgencySeed(
            code=old.agency_code,
            old_code=qcvn_agency_code(old.agency_code),
            name=f"Ủy ban nhân dân {kind} {old.name}",
            level="province",
            parent=None,
            valid_from=QD_20_IN_FORCE,
            valid_to=None if old.survives else LAST_DAY_OF_63_PROVINCES,
            successor=None if old.survives else surviving[old.current_code],
            unit_code=old.current_code if old.survives else old.code,
            confirmed=old.confirmed,
        )


def _list_communes() -> Iterator[AgencySeed]:
    wards: defaultdict[str, list[Ward]] = defaultdict(list)
    for ward in sorted(Ward.iter_all(), key=lambda ward: ward.code):
        wards[f"{ward.province_code:02d}"].append(ward)
    for unit, province in sorted(_map_surviving_codes().items()):
        for number, ward in enumerate(wards[unit], start=_FIRST_COMMUNE):
            code = f"{province}.{number}"
            yield AgencySeed(
                code=code,
                old_code=qcvn_agency_code(code),
                name=f"Ủy ban nhân dân {ward.name[0].lower()}{ward.name[1:]}",
                level="commune",
                parent=province,
                valid_from=FIRST_DAY_OF_34_PROVINCES,
                valid_to=None,
                successor=None,
                unit_code=f"{ward.code:05d}",
                confirmed=False,
            )
