from dataclasses import replace
from itertools import combinations
from typing import Any
from unicodedata import normalize

import pytest

from identity_service.persons.matching import (
    Claim,
    ClaimField,
    Comparison,
    Recorded,
    compare_claim,
)
from identity_service.sandbox.generator.population import read_population
from shared.codes.persons.folding import fold_accented, fold_bare

NAME = "Nguyễn Thị Thúy Hòa"
RECORDED = Recorded(
    name_key=fold_accented(NAME),
    bare_name_key=fold_bare(NAME),
    birth_date="1957-03-12",
    sex=2,
    residence_province="08",
    residence_commune="00691",
)
CLAIM = Claim(
    full_name=NAME,
    birth_date="1957-03-12",
    sex=2,
    residence_province="08",
    residence_commune="00691",
)
ALL: tuple[ClaimField, ...] = (
    "full_name",
    "birth_date",
    "sex",
    "residence_province",
    "residence_commune",
)


def recorded_as(name: str) -> Recorded:
    return replace(RECORDED, name_key=fold_accented(name), bare_name_key=fold_bare(name))


def test_equal_claim_agrees_in_every_field() -> None:
    answer = compare_claim(CLAIM, RECORDED)
    assert answer == Comparison(ALL, (), (), (), ())
    assert answer.same_person


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hòa", "Hoà"),
        ("hóa", "hoá"),
        ("Hỏa", "Hoả"),
        ("Toại", "Tọai"),
        ("Họa", "Hoạ"),
        ("Lõa", "Loã"),
        ("Hòe", "Hoè"),
        ("Khóe", "Khoé"),
        ("Khỏe", "Khoẻ"),
        ("Xõe", "Xoẽ"),
        ("Chọe", "Choẹ"),
        ("Thùy", "Thuỳ"),
        ("Thúy", "Thuý"),
        ("Thủy", "Thuỷ"),
        ("Lũy", "Luỹ"),
        ("Thụy", "Thuỵ"),
        ("Quý", "Qúy"),
        ("Hoàn", "Hòan"),
        ("NGUYỄN THỊ THÚY", "nguyễn thị thuý"),
        ("  Nguyễn\u00a0 Văn   An ", "Nguyễn Văn An"),
        ("Đặng Đức", "Ðặng Ðức"),
        ("H'Hen Niê", "H’Hen Niê"),
        ("Nguyễn\u200b Huệ", normalize("NFD", "Nguyễn Huệ")),
    ],
)
def test_spellings_of_one_name_are_one_name(one: str, other: str) -> None:
    assert one != other
    assert fold_accented(one) == fold_accented(other)


def test_letter_with_two_marks_is_one_letter_in_any_order_of_them() -> None:
    assert (
        fold_accented("Hue\u0302\u0323") == fold_accented("Hue\u0323\u0302") == fold_accented("Huệ")
    )


def test_names_in_use_keep_keys_of_their_own() -> None:
    known = read_population()
    syllables = {
        syllable
        for names in (known.surnames, known.male_given_names, known.female_given_names)
        for name in names
        for syllable in name.split()
    }
    for one, other in combinations(sorted(syllables), 2):
        assert fold_accented(one) != fold_accented(other), (one, other)


@pytest.mark.parametrize(
    ("one", "other"), [("Hùng", "Hưng"), ("Thủy", "Thúy"), ("Đan", "Dan"), ("Lý", "Lí")]
)
def test_other_diacritics_are_another_name(one: str, other: str) -> None:
    assert fold_accented(one) != fold_accented(other)


def test_bare_key_has_plain_letters_only() -> None:
    assert fold_bare("Đỗ Thị  Ngọc Ưỡng") == "do thi ngoc uong"


def test_name_without_diacritics_agrees_and_says_so() -> None:
    answer = compare_claim(replace(CLAIM, full_name="NGUYEN THI THUY HOA"), RECORDED)
    assert answer.agreeing == ALL
    assert answer.without_diacritics == ("full_name",)
    assert answer.same_person


def test_record_without_diacritics_agrees_and_says_so() -> None:
    answer = compare_claim(CLAIM, recorded_as("Nguyen Thi Thuy Hoa"))
    assert answer.without_diacritics == ("full_name",)


def test_other_tone_placement_agrees_fully() -> None:
    assert compare_claim(CLAIM, recorded_as("Nguyễn Thị Thuý Hoà")) == Comparison(
        ALL, (), (), (), ()
    )


def test_differing_fields_are_named_without_values() -> None:
    claim = Claim("Nguyễn Thị Lan", "1957-12-03", 1, "01", "00070")
    answer = compare_claim(claim, RECORDED)
    assert answer == Comparison((), ALL, (), (), ())
    assert not answer.same_person
    for value in (NAME, "1957-03-12", "00691"):
        assert value not in repr(answer)


@pytest.mark.parametrize(
    ("claimed", "held", "agrees", "unproven"),
    [
        ("1957-03-12", "1957", True, False),
        ("1957", "1957-03-12", True, True),
        ("1957-03", "1957-03-12", True, True),
        ("1957-03-12", "1957-03", True, False),
        ("1957-03", "1957-04-12", False, True),
        ("1958", "1957-03-12", False, True),
    ],
)
def test_birth_dates_agree_at_the_coarser_precision_and_say_so(
    *, claimed: str, held: str, agrees: bool, unproven: bool
) -> None:
    answer = compare_claim(Claim(birth_date=claimed), replace(RECORDED, birth_date=held))
    fields: tuple[ClaimField, ...] = ("birth_date",)
    assert answer == (
        Comparison(fields, (), (), (), fields, unproven)
        if agrees
        else Comparison((), fields, (), (), (), unproven)
    )


@pytest.mark.parametrize("claimed", ["1957", "1957-03-12"])
@pytest.mark.parametrize(
    ("name", "held_name", "knows"),
    [
        (NAME, NAME, True),
        ("Nguyen Thi Thuy Hoa", NAME, False),
        (NAME, "Nguyen Thi Thuy Hoa", True),
        ("Nguyen Thi Thuy Hoa", "Nguyen Thi Thuy Hoa", True),
    ],
)
def test_name_with_its_accents_proves_where_the_register_holds_the_year_alone(
    name: str, held_name: str, claimed: str, *, knows: bool
) -> None:
    held = replace(recorded_as(held_name), birth_date="1957")
    claim = Claim(full_name=name, birth_date=claimed)
    assert compare_claim(claim, held).knows_person is knows


def test_old_and_new_province_are_one_place() -> None:
    recorded_in_ha_giang = replace(RECORDED, residence_province="02", residence_commune=None)
    answer = compare_claim(CLAIM, recorded_in_ha_giang)
    assert "residence_province" in answer.agreeing
    assert answer.not_comparable == ("residence_commune",)
    assert answer.same_person


def test_old_commune_is_compared_by_its_province_alone() -> None:
    old_units = Claim(residence_province="02", residence_commune="00700")
    answer = compare_claim(old_units, RECORDED)
    assert answer == Comparison(("residence_province",), (), ("residence_commune",), (), ())
    elsewhere = compare_claim(replace(old_units, residence_province="04"), RECORDED)
    assert elsewhere.differing == ("residence_province", "residence_commune")


def test_commune_alone_says_its_province() -> None:
    recorded_in_ha_giang = replace(RECORDED, residence_province="02", residence_commune=None)
    in_ha_noi = Claim(residence_commune="00070")
    assert compare_claim(in_ha_noi, recorded_in_ha_giang).differing == ("residence_commune",)


@pytest.mark.parametrize(("claimed", "held"), [(0, 1), (2, 0)])
def test_unknown_sex_is_not_comparable(claimed: int, held: int) -> None:
    answer = compare_claim(Claim(sex=claimed), replace(RECORDED, sex=held))
    assert answer.not_comparable == ("sex",)
    assert not answer.same_person


def test_what_the_register_does_not_say_is_not_comparable() -> None:
    nothing = Recorded("", "", None, 0, None, None)
    assert compare_claim(CLAIM, nothing) == Comparison((), (), ALL, (), ())


@pytest.mark.parametrize(
    "unknown", [{"name_key": "", "bare_name_key": ""}, {"birth_date": None}], ids=("name", "date")
)
def test_nobody_is_known_without_the_name_and_the_birth_date(unknown: dict[str, Any]) -> None:
    answer = compare_claim(CLAIM, replace(RECORDED, **unknown))
    assert "sex" in answer.agreeing
    assert not answer.differing
    assert not answer.same_person


def test_claim_of_nothing_is_nobody() -> None:
    assert not compare_claim(Claim(), RECORDED).same_person


@pytest.mark.parametrize(
    "name", ["Nguyễn Thị Thụy Hoa", "Nguyên Thi Thuy Hoa", "Nguyễn Thị Thúy Hóa"]
)
def test_accents_on_both_sides_that_differ_are_another_name(name: str) -> None:
    answer = compare_claim(replace(CLAIM, full_name=name), RECORDED)
    assert answer.differing == ("full_name",)
    assert answer.without_diacritics == ()


@pytest.mark.parametrize("province", ["99", "03", "00"])
def test_province_that_no_list_knows_says_nothing(province: str) -> None:
    answer = compare_claim(replace(CLAIM, residence_province=province), RECORDED)
    assert answer.not_comparable == ("residence_province",)
    assert answer.same_person
    held = replace(RECORDED, residence_province=province, residence_commune=None)
    assert "residence_province" in compare_claim(CLAIM, held).not_comparable


def test_commune_that_no_list_knows_says_nothing() -> None:
    unknown = Claim(residence_commune="99999")
    assert compare_claim(unknown, RECORDED).not_comparable == ("residence_commune",)
