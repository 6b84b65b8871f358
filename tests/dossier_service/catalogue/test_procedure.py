import pytest
from pydantic import ValidationError

from dossier_service.catalogue.own_procedures import read_own_procedures
from dossier_service.catalogue.procedure import Procedure
from shared.codes.enums import Channel
from shared.rules.deadlines import Term, Unit


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"code": "3.900099"}, "provisional"),
        ({"code_confirmed": False}, "provisional"),
        ({"unheard_of": 1}, "Extra inputs"),
        ({"channels": [{"channel": 1, "duration": 1}]}, "needs its unit"),
        (
            {"channels": [{"channel": 1, "duration": 2, "unit": "working_day", "same_day": True}]},
            "one working day or eight hours",
        ),
        ({"service_codes": ["1.001193.01", "1.001193.01"]}, "the same code twice"),
        ({"result_codes": ["KQ.15"]}, "pattern"),
    ],
)
def test_entry_that_does_not_fit_is_refused(change: dict[str, object], says: str) -> None:
    birth = read_own_procedures()["1.001193"].model_dump()
    with pytest.raises(ValidationError, match=says):
        Procedure.model_validate(birth | change)


def test_version_stored_in_the_earlier_shape_still_loads() -> None:
    stored = {
        "code": "1.999999",
        "name": "Cấp giấy",
        "owner": "G01",
        "levels": ["commune"],
        "sector": "Cư trú",
        "channels": [{"channel": 1, "duration": 3, "unit": "day", "same_day": False, "text": ""}],
        "papers": [{"code": "TP01", "name": "Tờ khai", "originals": 1, "copies": 0, "case": None}],
        "requires_result": True,
    }
    procedure = Procedure.model_validate(stored)
    assert procedure.term(Channel.DESK) == Term(3, Unit.DAY)
    assert (procedure.results, procedure.faults, procedure.conditions_text) == ((), (), "")


@pytest.mark.parametrize(
    ("channels", "says"),
    [
        ([{"channel": 1, "case": "Đổi tên"}], "a case needs its case_code"),
        ([{"channel": 1, "case": "A", "case_code": "TH01"}] * 2, "the same code twice"),
    ],
)
def test_case_without_a_code_of_its_own_is_refused(
    channels: list[dict[str, object]], says: str
) -> None:
    birth = read_own_procedures()["1.001193"].model_dump()
    with pytest.raises(ValidationError, match=says):
        Procedure.model_validate(birth | {"channels": channels})
