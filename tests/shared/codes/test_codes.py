import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.codes.agency import AgencyCode, CodeError, holds_number_in_groups, parse_agency_code
from shared.codes.dossier import (
    DOSSIER_CODE_LAYOUTS,
    MAX_SERIAL,
    DossierCode,
    format_dossier_code,
    parse_dossier_code,
)
from shared.codes.enums import Channel, DossierStatus
from shared.codes.procedure import ProcedureCode, parse_national_code, parse_procedure_code

qcvn_agencies = st.from_regex(r"[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.[A-Z][0-9]{2}", fullmatch=True)
qd20_agencies = st.from_regex(r"[A-Z][0-9]{2}(\.[0-9]{1,3}){0,8}", fullmatch=True).filter(
    lambda code: not holds_number_in_groups(code)
)
days = st.dates(date(2000, 1, 1), date(2099, 12, 31))
serials = st.integers(1, MAX_SERIAL)


@pytest.mark.parametrize(
    ("code", "agency", "day", "serial"),
    [
        ("000.00.04.H12-210330-0001", "000.00.04.H12", date(2021, 3, 30), 1),
        ("H56.14-240823-0001", "H56.14", date(2024, 8, 23), 1),
        ("G09.20-20260609-0092637", "G09.20", date(2026, 6, 9), 92637),
    ],
)
def test_three_forms_of_a_dossier_code_are_read(
    code: str, agency: str, day: date, serial: int
) -> None:
    assert parse_dossier_code(code) == (agency, day, serial)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("H56.14-240230-0001", "real day"),  # 30 February
        ("H56.14-20250229-0001", "real day"),  # 2025 is no leap year
        ("H56.14-2408233-0001", "YYMMDD or YYYYMMDD"),
        ("H56.14-19990101-0001", "years 2000 to 2099"),
        ("H56.14-240823-001", "four to seven digits"),
        ("H56.14-240823-12345678", "four to seven digits"),
        ("H56.14-240823-0001\n", "four to seven digits"),
        ("H56.14-240823", "three blocks"),
        ("h56.14-240823-0001", "Not an agency code"),
        ("H56.14-٢٤٠٨٢٣-0001", "YYMMDD or YYYYMMDD"),
        # 3 + 8 * 4 + 2 = 37 characters
        ("H56" + ".123" * 8 + ".1-240823-0001", "35 characters"),
        ("H26.001.090.000.001-240823-0001", "twelve digits"),
        ("H26.1.001.09.000.00.01.2-240823-0001", "twelve digits"),
    ],
)
def test_broken_dossier_code_is_refused_with_what_is_wrong(code: str, says: str) -> None:
    with pytest.raises(CodeError, match=says):
        parse_dossier_code(code)


@given(st.text())
def test_any_other_text_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(CodeError) as refused:
        parse_dossier_code(f"private-{text}")
    assert "private" not in str(refused.value)


@given(qd20_agencies, days, serials, st.sampled_from(["short", "long"]))
def test_formatted_code_is_read_back(agency: str, day: date, serial: int, layout: str) -> None:
    code = format_dossier_code(agency, day, serial, DOSSIER_CODE_LAYOUTS[layout])
    assert parse_dossier_code(code) == (agency, day, serial)


@given(qcvn_agencies, days, serials)
def test_formatted_qcvn_code_is_read_back(agency: str, day: date, serial: int) -> None:
    code = format_dossier_code(agency, day, serial, DOSSIER_CODE_LAYOUTS["qcvn"])
    assert parse_dossier_code(code) == (agency, day, serial)


def test_layout_decides_the_form() -> None:
    day = date(2026, 6, 9)
    assert format_dossier_code("H56.14", day, 7, DOSSIER_CODE_LAYOUTS["short"]) == (
        "H56.14-260609-0007"
    )
    assert format_dossier_code("H56.14", day, 7, DOSSIER_CODE_LAYOUTS["long"]) == (
        "H56.14-20260609-0000007"
    )
    assert format_dossier_code("000.00.04.H12", day, 7, DOSSIER_CODE_LAYOUTS["qcvn"]) == (
        "000.00.04.H12-260609-0007"
    )


def test_serial_grows_beyond_four_digits() -> None:
    code = format_dossier_code("H56", date(2026, 6, 9), 10_000, DOSSIER_CODE_LAYOUTS["short"])
    assert code == "H56-260609-10000"


@pytest.mark.parametrize(
    ("agency", "day", "serial", "layout"),
    [
        ("H56", date(2026, 6, 9), 0, "short"),
        ("H56", date(2026, 6, 9), 10_000_000, "short"),
        ("000.00.04.H12", date(2026, 6, 9), 1, "short"),
        ("H56", date(2026, 6, 9), 1, "qcvn"),
        ("H56", date(1999, 6, 9), 1, "short"),
    ],
)
def test_code_that_could_not_be_read_back_is_not_issued(
    agency: str, day: date, serial: int, layout: str
) -> None:
    with pytest.raises(CodeError):
        format_dossier_code(agency, day, serial, DOSSIER_CODE_LAYOUTS[layout])


@pytest.mark.parametrize("code", ["000.00.04.G18", "H56.14", "H37.02.02", "G01", "H56.123"])
def test_both_forms_of_an_agency_code_are_accepted(code: str) -> None:
    assert parse_agency_code(code) == code


@pytest.mark.parametrize("code", ["", "H5", "H56.", "H56.1234", "00.00.04.G18", "H56 ", "H56.A1"])
def test_broken_agency_code_is_refused(code: str) -> None:
    with pytest.raises(CodeError):
        parse_agency_code(code)


@pytest.mark.parametrize(
    "code", ["1.001193", "1.001193.H56", "1.001193.000.00.00.H56", "1.001193.H56.14"]
)
def test_localised_procedure_is_counted_with_the_national_one(code: str) -> None:
    assert parse_procedure_code(code) == code
    assert parse_national_code(code) == "1.001193"


@pytest.mark.parametrize("code", ["1.00119", "0.001193", "1.0011933", "1.001193H56", "1.001193."])
def test_broken_procedure_code_is_refused(code: str) -> None:
    with pytest.raises(CodeError):
        parse_national_code(code)


@pytest.mark.parametrize(
    ("adapter", "good", "bad"),
    [
        (TypeAdapter(AgencyCode), "H56.14", "Ministry of Health"),
        (TypeAdapter(ProcedureCode), "2.002621.H56", "2002621"),
        (TypeAdapter(DossierCode), "H56.14-240823-0001", "H56.14-240832-0001"),
    ],
)
def test_types_of_the_published_language_check(
    adapter: TypeAdapter[str], good: str, bad: str
) -> None:
    assert adapter.validate_python(good) == good
    assert re.search(adapter.json_schema()["pattern"], good)
    with pytest.raises(ValidationError):
        adapter.validate_python(bad)


def test_statuses_and_channels_are_the_published_numbers() -> None:
    assert [int(status) for status in DossierStatus] == list(range(1, 11))
    assert DossierStatus(5).label == "Yêu cầu bổ sung giấy tờ"
    assert DossierStatus(10).slug == "returned"
    assert [(int(each), each.slug) for each in Channel] == [(1, "desk"), (2, "online"), (3, "post")]
