"""One dossier's way through gateway, services and axis is one trace."""

from functools import partial
from uuid import uuid4

import httpx
import pytest

from tests.collector import Collector, Span
from tests.mesh import Mesh
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FILING = {
    "procedure": "1.001193",
    "channel": 1,
    "applicant": {"kind": 1, "name": "Nguyễn Văn An", "personal_number": "001090000001"},
    "received_by": "H26.101",
    "decided_by": "H26.101",
    "documents": [],
}
# The steps that hear of the one before: over HTTP, then over the axis.
WAY = {
    "gateway": "POST /dossier/v1/dossiers",
    "dossier_service": "POST /dossier/v1/dossiers",
    "sync_service": "dossier.events.v1",
}


async def test_one_filing_is_one_trace_from_the_gateway_to_the_national_view(
    mesh: Mesh, collector: Collector
) -> None:
    trace, caller = uuid4().hex, uuid4().hex[:16]
    async with httpx.AsyncClient(base_url=mesh.gateway, timeout=15) as http:
        headers = mesh.sign_in()
        headers |= {"traceparent": f"00-{trace}-{caller}-01", "Idempotency-Key": str(uuid4())}
        answer = await http.post("/dossier/v1/dossiers", json=FILING, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.headers["x-trace-id"] == trace
    await eventually(partial(_is_complete, collector, trace), within=30)
    steps = collector.of(trace)
    at_gateway, at_service, in_view = (_step(steps, service) for service in WAY)
    assert at_gateway.parent == caller
    assert at_service.parent == at_gateway.span
    assert in_view.parent == at_service.span
    assert any(step.name == "INSERT" and step.parent == in_view.span for step in steps)


def _is_complete(collector: Collector, trace: str) -> bool:
    told = {(step.service, step.name) for step in collector.of(trace)}
    return WAY.items() <= told


def _step(steps: list[Span], service: str) -> Span:
    [found] = [step for step in steps if (step.service, step.name) == (service, WAY[service])]
    return found
