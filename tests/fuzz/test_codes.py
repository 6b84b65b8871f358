"""Any text is read as a code, a personal number, a birth date or a name in one form, or refused."""

from datetime import date
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types
from pydantic import TypeAdapter, ValidationError

from identity_service.persons.personal_numbers import PersonalNumber, Sex, compose_number
from shared.codes.agency import AgencyCode, parse_agency_code
from shared.codes.dossier import (
    DOSSIER_CODE_LAYOUTS,
    DossierCode,
    format_dossier_code,
    parse_dossier_code,
)
from shared.codes.persons.birth_date import agree_at_coarser_precision, parse_birth_date
from shared.codes.persons.folding import fold_accented, fold_bare
from shared.codes.procedure import ProcedureCode, parse_national_code, parse_procedure_code
from tests.fuzz.texts import AGENCIES, NEARLY, SYLLABLES, VIETNAMESE

CODES = {"agency": AgencyCode, "procedure": ProcedureCode, "dossier": DossierCode}
SHAPES: dict[str, Any] = {name: TypeAdapter(kind) for name, kind in CODES.items()}
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))


@pytest.mark.parametrize("kind", CODES)
@given(text=NEARLY)
@example(text="H26" + ".1" * 9)
@example(text="H26-991332-0001")
@example(text="H٢٦")
@example(text="1.001193\n")
def test_code_is_taken_as_it_stands_and_fits_its_pattern(kind: str, text: str) -> None:
    shape = SHAPES[kind]
    try:
        assert shape.validate_python(text) == text
    except ValidationError as error:
        kinds = [each["type"] for each in error.errors()]
        assert kinds == ["value_error"]
    else:
        Draft202012Validator(shape.json_schema()).validate(text)


@given(
    agency=AGENCIES,
    day=DAYS,
    serial=st.integers(1, 9_999_999),
    layout=st.sampled_from(["short", "long"]),
)
def test_dossier_code_says_what_it_was_made_of(
    agency: str, day: date, serial: int, layout: str
) -> None:
    code = format_dossier_code(agency, day, serial, DOSSIER_CODE_LAYOUTS[layout])
    assert parse_dossier_code(code) == (agency, day, serial)
    Draft202012Validator(SHAPES["dossier"].json_schema()).validate(code)


@given(agency=AGENCIES, number=st.integers(0, 999_999), first=st.integers(1, 9))
def test_procedure_of_an_agency_is_of_its_national_one(
    agency: str, number: int, first: int
) -> None:
    national = f"{first}.{number:06}"
    assert (
        parse_national_code(parse_procedure_code(f"{national}.{parse_agency_code(agency)}"))
        == national
    )


@given(text=NEARLY)
@example(text="٠٠١٠٩٠٠٠٠٠٠١")
def test_personal_number_is_twelve_digits_or_refused_unrepeated(text: str) -> None:
    try:
        number = PersonalNumber.parse(text)
    except ValueError as error:
        assert len(text) < 3 or text not in str(error)  # noqa: PT017 -- idem
    else:
        assert len(text) == 12
        serial = int(text[6:])
        assert compose_number(text[:3], number.sex, number.birth_year, serial) == text


@given(
    sex=st.sampled_from([Sex.MALE, Sex.FEMALE]),
    year=st.integers(1900, 2399),
    serial=st.integers(0, 999_999),
)
def test_personal_number_says_what_it_was_made_of(sex: Sex, year: int, serial: int) -> None:
    assert PersonalNumber.parse(compose_number("001", sex, year, serial)) == PersonalNumber(
        sex, year
    )


@given(text=NEARLY)
@example(text="1990-00-14")
@example(text="0000")
@example(text="2023-02-29")
def test_birth_date_is_read_to_a_form_that_is_read_to_itself(text: str) -> None:
    try:
        read = parse_birth_date(text)
    except ValueError as error:
        assert len(text) < 3 or text not in str(error)  # noqa: PT017 -- idem
    else:
        assert parse_birth_date(read) == read
        assert agree_at_coarser_precision(read, read[:4])


@given(name=VIETNAMESE)
@example(name="tra\u0301n\u0300g")
@example(name="ho\u0301a\u0323n")
@example(name="İ")
@example(name="ﬁ ŉ ǰ ΐ")
def test_key_of_a_name_is_the_same_for_all_its_spellings(name: str) -> None:
    key = fold_accented(name)
    for form in ("NFC", "NFD"):
        assert fold_accented(normalize(form, name)) == key
    assert fold_accented(key) == key
    assert fold_accented(f"  {name} \u200b") == key


@given(words=st.lists(SYLLABLES, min_size=1, max_size=5))
def test_key_of_a_name_is_its_own_key(words: list[str]) -> None:
    key = fold_accented(" ".join(words))
    assert fold_accented(key) == key
    assert fold_bare(key) == fold_bare(" ".join(words)) == fold_accented(fold_bare(key))
