import csv
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from identity_service.agencies.provinces import (
    list_abolished_codes,
    map_communes_to_provinces,
    map_current_codes,
    read_old_provinces,
)
from identity_service.agencies.registry_seed import AgencySeed, list_seed_agencies
from shared.codes.agency import parse_agency_code

PUBLISHED = Path(__file__).parents[3].parent / "shared" / "data" / "provinces.tsv"


@pytest.fixture(scope="module")
def by_code() -> dict[str, AgencySeed]:
    return {agency.code: agency for agency in list_seed_agencies()}


def test_each_code_stands_once_and_is_a_code(by_code: dict[str, AgencySeed]) -> None:
    assert len(by_code) == len(list_seed_agencies())
    assert [parse_agency_code(code) for code in by_code] == list(by_code)


def test_there_are_63_provinces_34_of_them_open() -> None:
    provinces = [agency for agency in list_seed_agencies() if agency.level == "province"]
    assert len(provinces) == 63
    assert sum(agency.valid_to is None for agency in provinces) == 34
    assert {a.valid_to for a in provinces if a.valid_to} == {date(2025, 6, 30)}


def test_there_are_3321_communes_below_provinces_of_today(by_code: dict[str, AgencySeed]) -> None:
    communes = [agency for agency in list_seed_agencies() if agency.level == "commune"]
    assert len(communes) == 3_321
    assert {agency.valid_from for agency in communes} == {date(2025, 7, 1)}
    for commune in communes:
        assert commune.parent is not None
        province = by_code[commune.parent]
        assert province.valid_to is None
        assert commune.unit_code is not None
        assert map_communes_to_provinces()[commune.unit_code] == province.unit_code


def test_communes_are_numbered_by_ward_code_from_101(by_code: dict[str, AgencySeed]) -> None:
    ha_noi = [agency for agency in list_seed_agencies() if agency.parent == "H26"]
    assert [agency.code for agency in ha_noi[:2]] == ["H26.101", "H26.102"]
    assert ha_noi[-1].code == f"H26.{100 + len(ha_noi)}"
    units = [agency.unit_code or "" for agency in ha_noi]
    assert units == sorted(units)
    assert by_code["H26.101"].name == "Ủy ban nhân dân phường Ba Đình"
    assert by_code["H26.101"].unit_code == "00004"


def test_joined_province_names_who_continues_it(by_code: dict[str, AgencySeed]) -> None:
    assert by_code["H22"].successor == "H60"  # Hà Giang -> Tuyên Quang
    assert by_code["H33"].successor == "H01"  # Kiên Giang -> An Giang, which took its number 91
    assert by_code["H01"].unit_code == "91"
    assert by_code["H33"].unit_code == "91"
    assert by_code["H26"].name == "Ủy ban nhân dân thành phố Hà Nội"
    assert by_code["H60"].name == "Ủy ban nhân dân tỉnh Tuyên Quang"


@pytest.mark.parametrize(
    ("closed", "successor"),
    [("G04", "G17"), ("G05", "G12"), ("G07", "G09"), ("G13", "G10"), ("G14", "G06")],
)
def test_joined_ministry_names_who_continues_it(
    by_code: dict[str, AgencySeed], closed: str, successor: str
) -> None:
    assert by_code[closed].successor == successor
    assert by_code[closed].valid_to == date(2025, 2, 28)


def test_successors_and_parents_stand_in_the_list_and_are_open(
    by_code: dict[str, AgencySeed],
) -> None:
    for agency in list_seed_agencies():
        assert (agency.successor is None) == (agency.valid_to is None)
        for other in (agency.successor, agency.parent):
            assert other is None or by_code[other].valid_to is None


def test_codes_that_no_source_gives_are_marked(by_code: dict[str, AgencySeed]) -> None:
    confirmed = {code for code, agency in by_code.items() if agency.confirmed}
    assert {code for code in confirmed if code.startswith("H")} == {
        "H14",
        "H22",
        "H37",
        "H41",
        "H56",
    }
    unknown = {agency.name for code, agency in by_code.items() if code.startswith("X")}
    assert unknown == {
        "Tập đoàn Điện lực Việt Nam",
        "Liên đoàn Thương mại và Công nghiệp Việt Nam",
        "Tòa án nhân dân tối cao",
    }
    assert not confirmed & {"X01", "X02", "X03"}


def test_old_codes_follow_qcvn(by_code: dict[str, AgencySeed]) -> None:
    assert by_code["G18"].old_code == "000.00.00.G18"
    assert by_code["H26.101"].old_code is None


def test_63_provinces_became_34() -> None:
    assert len({old.prefix for old in read_old_provinces()}) == 63
    assert len(set(map_current_codes().values())) == 34
    assert len(list_abolished_codes()) == 29
    # A code of today leads to itself, so one table reads old and new addresses alike.
    assert all(map_current_codes()[code] == code for code in map_current_codes().values())
    assert Counter(old.survives for old in read_old_provinces()) == {True: 34, False: 29}


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published table is not at hand")
def test_provinces_are_as_published() -> None:
    with PUBLISHED.open(encoding="utf-8") as file:
        published = [tuple(row.values()) for row in csv.DictReader(file, delimiter="\t")]
    assert published == [
        (old.prefix, old.name, old.agency_code, old.current_code, old.current_name)
        for old in read_old_provinces()
    ]
