"""A pushed procedure is the published one in either written form of its code."""

import pytest

from tests.sync_service.intake.test_row_warnings import of, publish, warnings
from tests.sync_service.national import National, published

FORMS = ("1.004222.H41.14", "1.004222.000.00.14.H41")


@pytest.mark.parametrize("listed", FORMS)
@pytest.mark.parametrize("national", [(), ("1.004222",)])
async def test_procedure_has_its_own_term_in_either_written_form(
    empty: National, listed: str, national: tuple[str, ...]
) -> None:
    await publish(empty, published(listed, 90), *(published(code, 1) for code in national))
    for day, distant in (("2027-05-01", False), ("2027-10-01", True)):
        found = await warnings(empty, *(of(day, procedure=form) for form in FORMS))
        assert not [each for each in found if "procedure_unknown" in each]
        assert ["due_date_distant" in each for each in found] == [distant, distant]
