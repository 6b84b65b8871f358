import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity_service.persons.personal_numbers import PersonalNumber, Sex, compose_number
from shared.codes.persons.birth_date import agree_at_coarser_precision, parse_birth_date


@pytest.mark.parametrize(
    ("digit", "sex", "century"),
    [
        ("0", Sex.MALE, 1900),
        ("1", Sex.FEMALE, 1900),
        ("2", Sex.MALE, 2000),
        ("3", Sex.FEMALE, 2000),
        ("4", Sex.MALE, 2100),
        ("5", Sex.FEMALE, 2100),
        ("6", Sex.MALE, 2200),
        ("7", Sex.FEMALE, 2200),
        ("8", Sex.MALE, 2300),
        ("9", Sex.FEMALE, 2300),
    ],
)
def test_fourth_digit_says_sex_and_century(digit: str, sex: Sex, century: int) -> None:
    number = PersonalNumber.parse(f"038{digit}57000123")
    assert number == PersonalNumber(sex, century + 57)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("03805700012", "has 11"),
        ("0380570001234", "has 13"),
        ("", "has 0"),
        ("03805700012x", "digits only"),
        ("038 57000123", "digits only"),
        ("٠٣٨٠٥٧٠٠٠١٢٣", "digits only"),
    ],
)
def test_impossible_form_is_refused_without_repeating_it(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong) as refused:
        PersonalNumber.parse(text)
    assert not text or text not in str(refused.value)


def test_sex_is_checked_against_the_fourth_digit() -> None:
    woman = PersonalNumber.parse("001190000001")
    assert woman.contradicts_sex(1)
    assert not woman.contradicts_sex(2)
    assert not woman.contradicts_sex(Sex.OTHER)
    assert not woman.contradicts_sex(Sex.UNKNOWN)


@pytest.mark.parametrize("born", ["2004", "2004-02", "2004-02-29"])
def test_birth_year_is_checked_at_any_precision(born: str) -> None:
    assert not PersonalNumber.parse("001204000001").contradicts_birth_date(born)
    assert PersonalNumber.parse("001205000001").contradicts_birth_date(born)
    assert PersonalNumber.parse("001004000001").contradicts_birth_date(born)  # 1904


@given(
    prefix=st.integers(0, 999).map("{:03d}".format),
    sex=st.sampled_from([Sex.MALE, Sex.FEMALE]),
    year=st.integers(1900, 2399),
    serial=st.integers(0, 999_999),
)
def test_composed_number_reads_back(prefix: str, sex: Sex, year: int, serial: int) -> None:
    number = PersonalNumber.parse(compose_number(prefix, sex, year, serial))
    assert number == PersonalNumber(sex, year)


@pytest.mark.parametrize(("sex", "year"), [(Sex.OTHER, 1990), (Sex.MALE, 1899), (Sex.MALE, 2400)])
def test_number_that_cannot_say_it_is_not_composed(sex: Sex, year: int) -> None:
    with pytest.raises(ValueError, match="male or female, and a year"):
        compose_number("001", sex, year, 1)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1957", "1957"),
        ("1957-03", "1957-03"),
        ("1957-03-12", "1957-03-12"),
        ("19570312", "1957-03-12"),
        ("19570000", "1957"),
        ("1957-03-00", "1957-03"),
    ],
)
def test_birth_date_is_read_at_its_precision(written: str, read: str) -> None:
    assert parse_birth_date(written) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "57",
        "1849",
        "1849-12-31",
        "1957-3-1",
        "195703",
        "1957-13",
        "1957-02-29",
        "1957-00-12",
        "12/03/1957",
    ],
)
def test_birth_date_that_is_none_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match="a birth date") as refused:
        parse_birth_date(text)
    assert not text or text not in str(refused.value)


def test_birth_dates_compare_at_the_coarser_precision() -> None:
    assert agree_at_coarser_precision("1957", "1957-03-12")
    assert agree_at_coarser_precision("1957-03-12", "1957-03")
    assert not agree_at_coarser_precision("1957-03-12", "1957-04")
    assert not agree_at_coarser_precision("1957-03-12", "1957-03-13")
