"""A purpose is the same procedure in either written form of its code."""

import pytest

from gateway.ledger.record_draft import PurposeKind
from gateway.purposes.registry import PurposeRegistry
from tests.gateway.purposes.catalogues import BASES, BIRTH, NOW

NEWER, OLDER = "1.001193.H26", "1.001193.000.00.00.H26"


def make_registry(catalogue: dict[str, bool]) -> PurposeRegistry:
    made = PurposeRegistry(BASES)
    made.replace_procedures(catalogue, announced=len(catalogue))
    return made


@pytest.mark.parametrize(
    ("listed", "asked"),
    [(NEWER, OLDER), (OLDER, NEWER), ("1.001193.H26.14", "1.001193.000.00.14.H26")],
)
@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("national", [{}, {BIRTH: True}, {BIRTH: False}])
def test_entry_decides_on_both_written_forms_of_its_code(
    listed: str,
    asked: str,
    active: bool,
    national: dict[str, bool],
) -> None:
    known = make_registry(national | {listed: active})
    expected = PurposeKind.PROCEDURE if active else PurposeKind.ENDED_PROCEDURE
    assert {known.classify_purpose(code, now=NOW) for code in (listed, asked)} == {expected}


def test_entry_in_the_newer_form_decides_where_both_forms_are_listed() -> None:
    for catalogue in ({NEWER: False, OLDER: True}, {OLDER: True, NEWER: False}):
        known = make_registry(catalogue)
        assert known.complete
        for code in catalogue:
            assert known.classify_purpose(code, now=NOW) is PurposeKind.ENDED_PROCEDURE


@pytest.mark.parametrize("text", ["1.001193/H26", "1.001193xH26", "1.001193-000.00.00.H26"])
def test_text_that_only_resembles_a_listed_code_is_no_purpose(text: str) -> None:
    assert make_registry({NEWER: True}).classify_purpose(text, now=NOW) is PurposeKind.UNKNOWN
