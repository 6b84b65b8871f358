"""The agencies of a right or a dossier, and those above them."""

import pytest

from shared.codes.agency import CodeError
from sync_service.agencies.hierarchy import COUNTRY, list_up_to_country, top_level_codes


def test_nearest_agency_above_comes_first_and_the_country_last() -> None:
    assert list_up_to_country("000.00.04.G18") == ("G18.04", "G18", COUNTRY)
    assert list_up_to_country("H26.101.2") == ("H26.101.2", "H26.101", "H26", COUNTRY)


def test_text_that_is_no_agency_is_refused() -> None:
    with pytest.raises(CodeError):
        list_up_to_country("nowhere")


def test_agencies_below_another_of_the_same_right_are_left_out() -> None:
    assert top_level_codes(["H26.101", "000.00.00.H26", "G18.04"]) == ["G18.04", "H26"]
    assert top_level_codes(None) == [COUNTRY]
