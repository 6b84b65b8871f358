"""A call's way through gateway, services and axis is one trace."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.collector import Collector, Span
from tests.support.mesh import Mesh
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FILING = {
    "procedure": "1.001193",
    "channel": 1,
    "applicant": {"kind": 1, "name": "Nguyễn Văn An", "personal_number": "001090000001"},
    "received_by": "H26.101",
    "decided_by": "H26.101",
    "documents": [],
}
PERSON = {
    "personal_number": "001090000001",
    "full_name": "Nguyễn Văn An",
    "birth_date": "1990-05-14",
}
# The steps that hear of the one before: over HTTP, then over the axis.
FILED = {
    "gateway": "POST /dossier/v1/dossiers",
    "dossier_service": "POST /dossier/v1/dossiers",
    "sync_service": "dossier.events.v1",
}
VERIFIED = dict.fromkeys(("gateway", "identity_service"), "POST /identity/v1/verifications")


async def test_one_filing_is_one_trace_from_the_gateway_to_the_national_view(
    mesh: Mesh, collector: Collector
) -> None:
    caller, steps = await traced(mesh, collector, FILED, FILING, status=201)
    at_gateway, at_service, in_view = (_step(steps, *step) for step in FILED.items())
    assert at_gateway.parent == caller
    assert at_service.parent == at_gateway.span
    assert in_view.parent == at_service.span
    assert any(step.name == "INSERT" and step.parent == in_view.span for step in steps)


async def test_one_verification_is_one_trace_from_the_gateway_to_identity(
    mesh: Mesh, collector: Collector
) -> None:
    caller, steps = await traced(mesh, collector, VERIFIED, PERSON, status=200)
    at_gateway, at_service = (_step(steps, *step) for step in VERIFIED.items())
    assert at_gateway.parent == caller
    assert at_service.parent == at_gateway.span


async def traced(
    mesh: Mesh, collector: Collector, way: Mapping[str, str], body: Mapping[str, Any], status: int
) -> tuple[str, list[Span]]:
    """The span of who asks for the first step of the way, and the steps that were heard of."""
    trace, caller = uuid4().hex, uuid4().hex[:16]
    path = way["gateway"].partition(" ")[2]
    async with httpx.AsyncClient(base_url=mesh.gateway, timeout=60) as http:
        headers = mesh.sign_in()
        headers |= {"traceparent": f"00-{trace}-{caller}-01", "Idempotency-Key": str(uuid4())}
        answer = await http.post(path, json=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["x-trace-id"] == trace
    await eventually(partial(_is_complete, collector, trace, way))
    return caller, collector.of(trace)


def _is_complete(collector: Collector, trace: str, way: Mapping[str, str]) -> bool:
    told = {(step.service, step.name) for step in collector.of(trace)}
    return way.items() <= told


def _step(steps: list[Span], service: str, name: str) -> Span:
    # A service that names the gateway a new epoch is asked a second time.
    *_, found = [step for step in steps if (step.service, step.name) == (service, name)]
    return found
