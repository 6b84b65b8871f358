"""A purpose is the same procedure in either written form of its code."""

import pytest

from gateway.ledger.records import PurposeKind
from gateway.purposes.registry import PurposeRegistry
from tests.conftest import Databases
from tests.gateway.purposes.catalogues import BASES, BIRTH, NOW, assert_refused, look
from tests.support.gateway_harness import (
    Services,
    make_agency,
    make_client,
    make_grant,
    make_procedure,
    open_gate,
)

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
        known = PurposeRegistry(BASES)
        known.replace_procedures(catalogue, announced=1)
        assert known.complete
        for code in catalogue:
            assert known.classify_purpose(code, now=NOW) is PurposeKind.ENDED_PROCEDURE


@pytest.mark.parametrize("text", ["1.001193/H26", "1.001193xH26", "1.001193-000.00.00.H26"])
def test_text_that_only_resembles_a_listed_code_is_no_purpose(text: str) -> None:
    assert make_registry({NEWER: True}).classify_purpose(text, now=NOW) is PurposeKind.UNKNOWN


def test_two_forms_of_one_procedure_are_one_of_those_announced() -> None:
    known = PurposeRegistry(BASES)
    known.replace_procedures({NEWER: True, OLDER: True}, announced=2)
    assert not known.complete
    assert known.classify_purpose("1.000002", now=NOW) is PurposeKind.UNCHECKED
    known.replace_procedures({NEWER: True, OLDER: True, "1.000002": True}, announced=2)
    assert known.complete


@pytest.mark.parametrize("registered", [("G18.04",), ("000.00.04.G18",)])
@pytest.mark.parametrize("by_client", [True, False])
def test_agency_is_known_in_both_written_forms(
    registered: tuple[str, ...], *, by_client: bool
) -> None:
    known = make_registry({BIRTH: True})
    known.replace_agencies(["H29"] if by_client else ["H29", *registered])
    if by_client:
        known.add_agencies(registered)
    found = {
        code: known.classify_purpose(f"{BIRTH}.{code}", now=NOW)
        for code in ("G18.04", "000.00.04.G18", "G18", "000.00.00.G18", "G19")
    }
    above = PurposeKind.PROCEDURE if by_client else PurposeKind.UNKNOWN
    assert found == {
        "G18.04": PurposeKind.PROCEDURE,
        "000.00.04.G18": PurposeKind.PROCEDURE,
        "G18": above,
        "000.00.00.G18": above,
        "G19": PurposeKind.UNKNOWN,
    }


STATES_ABOVE = {
    "1.001193.H26": PurposeKind.ENDED_PROCEDURE,
    "1.001193.H26.99": PurposeKind.ENDED_PROCEDURE,
    "1.001193.000.00.99.H26": PurposeKind.ENDED_PROCEDURE,
    "1.001193.H26.00": PurposeKind.ENDED_PROCEDURE,
    "1.001193.H26.14": PurposeKind.PROCEDURE,
    "1.001193.H26.14.05": PurposeKind.PROCEDURE,
    "1.001193.000.05.14.H26": PurposeKind.PROCEDURE,
    "1.001193.H29.1": PurposeKind.PROCEDURE,
    "2.000815.H26.1": PurposeKind.PROCEDURE,
    "2.000815.H29": PurposeKind.ENDED_PROCEDURE,
    "2.000816.H26.1": PurposeKind.UNKNOWN,
    "2.000816.H26.14.05": PurposeKind.ENDED_PROCEDURE,
}


def test_nearest_listed_code_above_decides_before_the_national_one() -> None:
    known = make_registry(
        {
            BIRTH: True,
            "1.001193.H26": False,
            "1.001193.H26.14": True,
            "2.000815": False,
            "2.000815.H26": True,
            "2.000816.H26.14": False,
        }
    )
    known.replace_agencies(["H26", "H29"])
    found = {
        code: known.classify_purpose(code, now=NOW, agency="H29" if ".H29" in code else "H26")
        for code in STATES_ABOVE
    }
    assert found == STATES_ABOVE


async def test_agency_of_a_client_in_the_older_form_is_known_with_the_highest_above(
    postgres: Databases, services: Services
) -> None:
    url = postgres.migrated_url("gateway")
    async with open_gate(url, services) as gate:
        await gate.tell(make_procedure(BIRTH, catalogue_size=1), make_agency("H26"))
        await gate.tell(make_client("older-g15", "000.00.04.G15"))
    async with open_gate(url, services) as gate:
        client = await gate.newcomer(make_grant())
        for named in ("G15", "G15.04", "000.00.04.G15"):
            answer, _ = await look(gate, client, f"{BIRTH}.{named}")
            assert answer.is_success, answer.text
        refused, _ = await look(gate, client, f"{BIRTH}.G15.05")
        assert_refused(refused, f"{BIRTH}.G15.05")
