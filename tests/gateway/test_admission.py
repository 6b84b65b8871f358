import pytest

from tests.gateway.mesh import VERIFY, Mesh


async def test_call_with_a_right_goes_through_and_is_on_record(mesh: Mesh) -> None:
    answer = await mesh.ask(VERIFY, json={})
    assert answer.status_code == 200, answer.text
    [record] = await mesh.records(client="onestop-h26")
    assert record["outcome"] == "allowed"
