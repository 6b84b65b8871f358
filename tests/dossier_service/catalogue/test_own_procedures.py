from pathlib import Path

import pytest

from dossier_service.catalogue.own_procedures import (
    OWN_FOLDER,
    read_own_procedures,
    read_procedure_file,
)
from shared.codes.enums import Channel
from shared.rules.deadlines import Term, Unit

FILES = sorted(OWN_FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_of_the_own_catalogue_is_whole(path: Path) -> None:
    procedure = read_procedure_file(path)
    assert procedure.channels
    assert procedure.find_longest_term() or procedure.code == "2.000815"
    assert procedure.result_codes or not procedure.requires_result or not procedure.code_confirmed


def test_own_catalogue_holds_the_25_essential_services() -> None:
    assert sum(procedure.essential for procedure in read_own_procedures().values()) == 25


def test_own_catalogue_holds_the_codes_that_are_known() -> None:
    known = {"1.001193", "1.000656", "1.000894", "2.000815", "2.002621", "2.002622"}
    assert known <= read_own_procedures().keys()


def test_birth_registration_is_answered_the_same_day() -> None:
    birth = read_own_procedures()["1.001193"]
    assert birth.term(Channel.DESK) == Term(1, Unit.WORKING_DAY, same_day=True)
    assert birth.accepts_channel(Channel.ONLINE)
    assert not birth.accepts_channel(Channel.POST)


def test_fee_of_a_case_is_due_only_when_the_case_was_found() -> None:
    birth = read_own_procedures()["1.001193"]
    assert birth.list_fees_due(Channel.DESK) == ()
    [fee] = birth.list_fees_due(Channel.DESK, frozenset({"LP-KSQH"}))
    assert (fee.amount_vnd, fee.when) == (8000, "before")


def test_fee_of_a_channel_is_due_on_that_channel() -> None:
    residence = read_own_procedures()["1.004222"]
    assert [fee.amount_vnd for fee in residence.list_fees_due(Channel.ONLINE)] == [10_000]
    assert [fee.amount_vnd for fee in residence.list_fees_due(Channel.DESK)] == [20_000]


def test_longest_of_several_terms_counts() -> None:
    assert read_own_procedures()["1.003677"].find_longest_term() == Term(2, Unit.WORKING_DAY)
