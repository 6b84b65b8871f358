"""An agency is the same one in either written form of its code."""

from http import HTTPStatus

import pytest

from tests.support.gateway_harness import VERIFY, Gate, make_grant


@pytest.mark.parametrize(
    ("registered", "claimed"), [("H26.14", "000.00.14.H26"), ("000.00.14.H26", "H26.14")]
)
async def test_token_names_the_agency_of_its_client_in_either_form(
    gate: Gate, registered: str, claimed: str
) -> None:
    client = await gate.newcomer(make_grant(), agency=registered)
    answer = await gate.ask(VERIFY, client=client, agency=claimed, json={"a": 1})
    assert answer.status_code == HTTPStatus.OK
