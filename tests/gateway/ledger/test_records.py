"""What stands in the ledger is what happened, whatever the caller says of itself."""

import json
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse

from gateway.access.rate_limits import Quotas
from gateway.operations.model import QuotaClass
from gateway.operations.quotas import DEFAULT_QUOTAS, Quota
from tests.support.fake_upstream import SUBJECT
from tests.support.gateway_harness import READ, VERIFY, Gate, make_grant

FILE = "POST /dossier/v1/dossiers"
DOSSIER, OTHER = "H26.14-240823-0001", "H26.14-240823-0002"
NUMBER = "001090000001"
NBSP = "\N{NO-BREAK SPACE}"


async def test_path_says_which_dossier_was_read_whatever_the_header_says(gate: Gate) -> None:
    client = await gate.newcomer(make_grant())
    asked = len(gate.services.asked)
    path = READ.format(code=DOSSIER)
    answer = await gate.ask(path, client=client, headers={"X-Dossier": OTHER})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/request-malformed")
    assert len(gate.services.asked) == asked
    assert (await gate.ask(path, client=client, headers={"X-Dossier": DOSSIER})).is_success
    assert [row["dossier"] for row in await gate.records(client=client)] == [DOSSIER, DOSSIER]


async def test_number_in_the_place_of_a_dossier_code_is_not_recorded(gate: Gate) -> None:
    client = await gate.newcomer(make_grant())
    await gate.ask(READ.format(code=NUMBER), client=client)
    [record] = await gate.records(client=client)
    assert record["dossier"] is None
    assert NUMBER.encode() not in record["record"]


@pytest.mark.parametrize(
    ("told", "recorded"), [(DOSSIER, DOSSIER), ("-", None), (NUMBER, None), ("", None)]
)
async def test_filing_is_recorded_with_the_code_that_the_service_gave(
    gate: Gate, told: str, recorded: str | None
) -> None:
    client, before = await gate.newcomer(make_grant(operations=[FILE])), gate.services.answer
    headers = {"X-Subject": SUBJECT, "X-Dossier": told}
    gate.services.answer = lambda: JSONResponse({}, 201, headers)
    try:
        answer = await gate.ask(FILE, client=client, content=b"{}")
    finally:
        gate.services.answer = before
    assert "X-Dossier" not in answer.headers
    announced, record = await gate.records(client=client)
    assert (announced["dossier"], announced["outcome"]) == (None, "unknown")
    assert (record["dossier"], record["outcome"]) == (recorded, "allowed")
    assert NUMBER.encode() not in record["record"]


@pytest.mark.parametrize("replayed", [False, True])
async def test_repeat_of_a_filing_is_recorded_as_one(gate: Gate, *, replayed: bool) -> None:
    auditor = await gate.newcomer(make_grant(operations=[RECORDS], agencies=None))
    client, before = await gate.newcomer(make_grant(operations=[FILE])), gate.services.answer
    headers = {"X-Subject": SUBJECT, "X-Dossier": DOSSIER}
    headers |= {"Idempotent-Replayed": "true"} if replayed else {}
    gate.services.answer = lambda: JSONResponse({}, 201, headers)
    try:
        await gate.ask(FILE, client=client, content=b"{}")
    finally:
        gate.services.answer = before
    _, record = await gate.records(client=client)
    assert json.loads(record["record"])["replayed"] is replayed
    listed = await gate.ask(RECORDS, client=auditor, params={"client": client})
    assert [item["replayed"] for item in listed.json()["items"]] == [replayed, False]


async def test_service_gets_what_was_recorded_however_the_caller_names_its_headers(
    gate: Gate,
) -> None:
    client = await gate.newcomer(make_grant())
    hidden = {"Connection": "x-purpose, x-officer, x-dossier", "X-Dossier": DOSSIER}
    await gate.ask(VERIFY, client=client, headers={**hidden, "X-Officer": f"{NBSP}mai.do{NBSP}"})
    inside = gate.services.asked[-1].headers
    assert inside.getlist("X-Purpose") == ["1.001193"]
    assert inside.getlist("X-Officer") == ["mai.do"]
    assert inside.getlist("X-Dossier") == [DOSSIER]


@pytest.fixture
def two_refusals(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {
        QuotaClass.REFUSED: Quota(2, 60),
        QuotaClass.READ: Quota(1, 60),
    }
    monkeypatch.setattr(gate.admission, "_quotas", Quotas({**DEFAULT_QUOTAS, **few}))


REFUSED: dict[str, tuple[dict[str, str | None], int]] = {
    "no purpose": ({"X-Purpose": None}, 400),
    "two dossiers": ({"X-Dossier": OTHER}, 400),
}


@pytest.mark.usefixtures("stopped_quota_clock", "two_refusals")
@pytest.mark.parametrize("what", REFUSED)
async def test_refusals_without_end_are_not_all_recorded(gate: Gate, what: str) -> None:
    headers, status = REFUSED[what]
    client = await gate.newcomer(make_grant())
    told: dict[str, Any] = {"client": client, "headers": dict(headers)}
    answers = [await gate.ask(READ.format(code=DOSSIER), **told) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [status, status, 429, 429, 429, 429]
    # The two, and that the quota was spent: the rest is counted only.
    assert len(await gate.records(client=client)) == 3
    counted = await read_metric(gate, "ledger_refusals_unrecorded_total")
    await gate.ask(READ.format(code=DOSSIER), **told)
    assert await read_metric(gate, "ledger_refusals_unrecorded_total") == counted + 1


@pytest.mark.usefixtures("stopped_quota_clock", "two_refusals")
async def test_client_that_is_unknown_is_not_recorded_without_end(gate: Gate) -> None:
    for _ in range(6):
        await gate.ask(VERIFY, client="nobody-knows-me")
    assert len(await gate.records(client="nobody-knows-me")) == 3


@pytest.mark.usefixtures("stopped_quota_clock", "two_refusals")
async def test_who_has_spent_its_quota_is_recorded_once_a_minute(gate: Gate) -> None:
    client = await gate.newcomer(make_grant())
    for _ in range(5):
        await gate.ask(READ.format(code=DOSSIER), client=client)
    outcomes = [record["outcome"] for record in await gate.records(client=client)]
    assert outcomes == ["allowed", "refused"]


async def test_body_too_large_is_looked_at_after_the_token(gate: Gate) -> None:
    answer = await gate.ask(VERIFY, headers={"Authorization": None}, content=b"x" * 70_000)
    assert answer.status_code == HTTPStatus.UNAUTHORIZED


async def read_metric(gate: Gate, name: str) -> float:
    text = (await gate.http.get("/metrics")).text
    [line] = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


async def count_requests(gate: Gate, *labels: str) -> float:
    text = (await gate.http.get("/metrics")).text
    found = [line for line in text.splitlines() if line.startswith("http_request_seconds_count")]
    return sum(float(line.split()[-1]) for line in found if all(each in line for each in labels))


RECORDS = "GET /ledger/v1/records"


async def test_own_operation_is_recorded_as_all_others(gate: Gate) -> None:
    client = await gate.newcomer(make_grant(operations=[RECORDS], agencies=None))
    labels = ('route="/ledger/v1/records"', 'status="200"')
    before = await count_requests(gate, *labels)
    answer = await gate.ask(RECORDS, client=client)
    assert answer.status_code == HTTPStatus.OK, answer.text
    [record] = await gate.records(client=client)
    told = json.loads(record["record"])
    assert len(told["request_commitment"]) == 64  # to nothing
    assert len(told["response_commitment"]) == 64
    assert await count_requests(gate, *labels) == before + 1


async def test_refused_own_operation_is_in_the_metrics(gate: Gate) -> None:
    labels = ('route="/ledger/v1/records"', 'status="401"')
    before = await count_requests(gate, *labels)
    await gate.ask(RECORDS, headers={"Authorization": None})
    assert await count_requests(gate, *labels) == before + 1


async def test_own_answer_that_names_nobody_is_held_back(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await gate.newcomer(make_grant(operations=[RECORDS], agencies=None))
    monkeypatch.setattr("shared.web.calls.internal_headers.NO_SUBJECT", "")
    answer = await gate.ask(RECORDS, client=client)
    assert answer.json()["type"] == "/problems/subject-not-named"
    [record] = await gate.records(client=client)
    assert record["outcome"] == "unknown"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("PUT", "/oauth/token", 405), ("GET", "/metrics", 404)]
)
async def test_refusal_before_any_operation_has_its_ids_and_is_counted(
    gate: Gate, method: str, path: str, status: int
) -> None:
    labels = (f'method="{method}"', f'status="{status}"')
    before = await count_requests(gate, *labels)
    far = httpx.ASGITransport(gate.gateway, client=("1.1.1.1", 1))
    async with httpx.AsyncClient(transport=far, base_url="http://gateway") as outside:
        answer = await outside.request(method, path, headers={"X-Request-Id": "request-405"})
    assert answer.status_code == status
    assert answer.headers["X-Request-Id"] == "request-405"
    assert len(answer.json()["trace_id"]) == 32
    assert await count_requests(gate, *labels) == before + 1
