"""A right covers the same agencies and procedures in whichever form each code is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.codes.agency import canonical_agency_code, parse_agency_code, qcvn_agency_code
from shared.codes.coverage import (
    canonical_code,
    canonical_codes,
    is_within,
    list_covering_codes,
    list_self_and_above,
    list_written_procedure_codes,
)

# Groups as QCVN 102 writes them: level 4 has three digits, levels 3 and 2 have two.
_level = st.integers(1, 99).map(lambda number: f"{number:02}")
_lowest = st.integers(1, 999).map(lambda number: f"{number:03}")
_first = st.sampled_from(["H26", "H29", "G15"])
_depths = st.one_of(
    st.tuples(_first),
    st.tuples(_first, _level),
    st.tuples(_first, _level, _level),
    st.tuples(_first, _level, _level, _lowest),
)
codes = _depths.map(".".join)


def other_form(code: str) -> str:
    """Write a code as QCVN 102 does, by the words of the standard: lowest level first."""
    first, *lower = code.split(".")
    level2, level3, level4 = [*lower, "", "", ""][:3]
    return f"{level4 or '000'}.{level3 or '00'}.{level2 or '00'}.{first}"


@given(codes)
def test_two_forms_of_one_agency_are_turned_into_each_other(code: str) -> None:
    assert parse_agency_code(other_form(code)) == qcvn_agency_code(code)
    assert canonical_agency_code(other_form(code)) == code


@pytest.mark.parametrize("code", ["H26.1", "H26.10.1", "H26.14.05.7", "H26.01.02.003.4"])
def test_code_without_room_in_the_older_form_has_none(code: str) -> None:
    assert qcvn_agency_code(code) is None


@pytest.mark.parametrize("code", ["H26.00", "H26.00.00", "H26.14.00", "H26.14.05.000"])
def test_zeros_at_the_end_have_no_older_form_because_it_would_name_the_agency_above(
    code: str,
) -> None:
    assert canonical_agency_code(code) == code
    assert qcvn_agency_code(code) is None
    assert list_written_procedure_codes([f"1.001193.{code}"]) == [f"1.001193.{code}"]


@pytest.mark.parametrize(
    "text", ["1,001193.H26.01", "0.001193.H26.01", "1.00119x.H26", "1.001193-H26"]
)
def test_text_that_only_looks_like_a_procedure_has_one_form(text: str) -> None:
    assert list_written_procedure_codes([text]) == [text]


@given(codes, codes)
def test_agency_is_covered_alike_in_both_forms(agency: str, right: str) -> None:
    expected = f"{agency}.".startswith(f"{right}.")
    for asked in (agency, other_form(agency)):
        for written in (right, other_form(right)):
            assert is_within(asked, canonical_codes([written])) is expected


@given(codes, codes)
def test_procedure_is_covered_alike_in_both_forms(agency: str, right: str) -> None:
    for asked in (f"1.001193.{agency}", f"1.001193.{other_form(agency)}"):
        for written in (f"1.001193.{right}", f"1.001193.{other_form(right)}"):
            covered = not canonical_codes([written]).isdisjoint(list_covering_codes(asked))
            assert covered is (agency == right)
            stored = asked in list_written_procedure_codes(canonical_codes([written]))
            assert stored is (agency == right)
        assert "1.001193" in list_covering_codes(asked)


def test_agencies_above_are_those_whose_code_begins_a_code_and_the_nearest_comes_first() -> None:
    assert list_self_and_above("H26.101.2") == ("H26.101.2", "H26.101", "H26")
    assert list_self_and_above("000.00.04.H26") == ("H26.04", "H26")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.001193",
        "1.001193.",
        "đi chơi",
        "13/2023/ND-CP",
        "1.0011",
        "1.001193/H26",
        "1.001193-000.00.00.H26",
        "x.001193.000.00.00.H26",
    ],
)
def test_text_without_an_agency_stays_as_it_is(text: str) -> None:
    assert canonical_code(text) == text
