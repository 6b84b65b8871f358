"""What stands in the ledger is what happened, whatever the caller says of itself."""

import json
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse

from gateway.limits import DEFAULT_QUOTAS, Quota, Quotas
from gateway.upstreams import QuotaClass
from tests.gateway.mesh import READ, VERIFY, Mesh, make_grant
from tests.gateway.wire import SUBJECT

FILE = "POST /dossier/v1/dossiers"
DOSSIER, OTHER = "H26.14-240823-0001", "H26.14-240823-0002"
NUMBER = "001090000001"
NBSP = "\N{NO-BREAK SPACE}"


async def test_path_says_which_dossier_was_read_whatever_the_header_says(mesh: Mesh) -> None:
    client = await mesh.newcomer(make_grant())
    asked = len(mesh.services.asked)
    path = READ.format(code=DOSSIER)
    answer = await mesh.ask(path, client=client, headers={"X-Dossier": OTHER})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/request-malformed")
    assert len(mesh.services.asked) == asked
    assert (await mesh.ask(path, client=client, headers={"X-Dossier": DOSSIER})).is_success
    assert [row["dossier"] for row in await mesh.records(client=client)] == [DOSSIER, DOSSIER]


async def test_number_in_the_place_of_a_dossier_code_is_not_recorded(mesh: Mesh) -> None:
    client = await mesh.newcomer(make_grant())
    await mesh.ask(READ.format(code=NUMBER), client=client)
    [record] = await mesh.records(client=client)
    assert record["dossier"] is None
    assert NUMBER.encode() not in record["record"]


@pytest.mark.parametrize(
    ("told", "recorded"), [(DOSSIER, DOSSIER), ("-", None), (NUMBER, None), ("", None)]
)
async def test_filing_is_recorded_with_the_code_that_the_service_gave(
    mesh: Mesh, told: str, recorded: str | None
) -> None:
    client, before = await mesh.newcomer(make_grant(operations=[FILE])), mesh.services.answer
    headers = {"X-Subject": SUBJECT, "X-Dossier": told}
    mesh.services.answer = lambda: JSONResponse({}, 201, headers)
    try:
        answer = await mesh.ask(FILE, client=client, content=b"{}")
    finally:
        mesh.services.answer = before
    assert "X-Dossier" not in answer.headers
    [record] = await mesh.records(client=client)
    assert record["dossier"] == recorded
    assert NUMBER.encode() not in record["record"]


async def test_service_gets_what_was_recorded_however_the_caller_names_its_headers(
    mesh: Mesh,
) -> None:
    client = await mesh.newcomer(make_grant())
    hidden = {"Connection": "x-purpose, x-officer, x-dossier", "X-Dossier": DOSSIER}
    await mesh.ask(VERIFY, client=client, headers={**hidden, "X-Officer": f"{NBSP}Đỗ Mai{NBSP}"})
    inside = mesh.services.asked[-1].headers
    assert inside.getlist("X-Purpose") == ["1.001193"]
    assert [each.encode("latin-1").decode() for each in inside.getlist("X-Officer")] == ["Đỗ Mai"]
    assert inside.getlist("X-Dossier") == [DOSSIER]


@pytest.fixture
def two_refusals(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {
        QuotaClass.REFUSED: Quota(2, 60),
        QuotaClass.READ: Quota(1, 60),
    }
    monkeypatch.setattr(mesh.admission, "_quotas", Quotas({**DEFAULT_QUOTAS, **few}))


REFUSED: dict[str, tuple[dict[str, str | None], int]] = {
    "no token": ({"Authorization": None}, 401),
    "no purpose": ({"X-Purpose": None}, 400),
    "two dossiers": ({"X-Dossier": OTHER}, 400),
}


@pytest.mark.usefixtures("two_refusals")
@pytest.mark.parametrize("what", REFUSED)
async def test_refusals_without_end_are_not_all_recorded(mesh: Mesh, what: str) -> None:
    headers, status = REFUSED[what]
    client = await mesh.newcomer(make_grant())
    before = len(await mesh.records())
    told: dict[str, Any] = {"client": client, "headers": dict(headers)}
    answers = [await mesh.ask(READ.format(code=DOSSIER), **told) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [status, status, 429, 429, 429, 429]
    # The two, and that the quota was spent: the rest is counted only.
    assert len(await mesh.records()) == before + 3
    counted = await read_metric(mesh, "ledger_refusals_unrecorded_total")
    await mesh.ask(READ.format(code=DOSSIER), **told)
    assert await read_metric(mesh, "ledger_refusals_unrecorded_total") == counted + 1


@pytest.mark.usefixtures("two_refusals")
async def test_client_that_is_unknown_is_not_recorded_without_end(mesh: Mesh) -> None:
    for _ in range(6):
        await mesh.ask(VERIFY, client="nobody-knows-me")
    assert len(await mesh.records(client="nobody-knows-me")) == 3


@pytest.mark.usefixtures("two_refusals")
async def test_who_has_spent_its_quota_is_recorded_once_a_minute(mesh: Mesh) -> None:
    client = await mesh.newcomer(make_grant())
    for _ in range(5):
        await mesh.ask(READ.format(code=DOSSIER), client=client)
    outcomes = [record["outcome"] for record in await mesh.records(client=client)]
    assert outcomes == ["allowed", "refused"]


async def test_body_too_large_is_looked_at_after_the_token(mesh: Mesh) -> None:
    answer = await mesh.ask(VERIFY, headers={"Authorization": None}, content=b"x" * 70_000)
    assert answer.status_code == HTTPStatus.UNAUTHORIZED


async def read_metric(mesh: Mesh, name: str) -> float:
    text = (await mesh.http.get("/metrics")).text
    [line] = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


async def count_requests(mesh: Mesh, *labels: str) -> float:
    text = (await mesh.http.get("/metrics")).text
    found = [line for line in text.splitlines() if line.startswith("http_request_seconds_count")]
    return sum(float(line.split()[-1]) for line in found if all(each in line for each in labels))


RECORDS = "GET /ledger/v1/records"


async def test_own_operation_is_recorded_as_all_others(mesh: Mesh) -> None:
    client = await mesh.newcomer(make_grant(operations=[RECORDS], agencies=None))
    labels = ('route="/ledger/v1/records"', 'status="200"')
    before = await count_requests(mesh, *labels)
    answer = await mesh.ask(RECORDS, client=client)
    assert answer.status_code == HTTPStatus.OK, answer.text
    [record] = await mesh.records(client=client)
    told = json.loads(record["record"])
    assert told["request_sha256"].startswith("e3b0c442")  # of nothing
    assert len(told["response_sha256"]) == 64
    assert await count_requests(mesh, *labels) == before + 1


async def test_refused_own_operation_is_in_the_metrics(mesh: Mesh) -> None:
    labels = ('route="/ledger/v1/records"', 'status="401"')
    before = await count_requests(mesh, *labels)
    await mesh.ask(RECORDS, headers={"Authorization": None})
    assert await count_requests(mesh, *labels) == before + 1


async def test_own_answer_that_names_nobody_is_held_back(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await mesh.newcomer(make_grant(operations=[RECORDS], agencies=None))
    monkeypatch.setattr("gateway.routes.ledger.NOBODY", "")
    answer = await mesh.ask(RECORDS, client=client)
    assert answer.json()["type"] == "/problems/subject-not-named"
    [record] = await mesh.records(client=client)
    assert record["outcome"] == "failed"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("PUT", "/oauth/token", 405), ("GET", "/metrics", 404)]
)
async def test_refusal_before_any_operation_has_its_ids_and_is_counted(
    mesh: Mesh, method: str, path: str, status: int
) -> None:
    labels = (f'method="{method}"', f'status="{status}"')
    before = await count_requests(mesh, *labels)
    far = httpx.ASGITransport(mesh.gateway, client=("1.1.1.1", 1))
    async with httpx.AsyncClient(transport=far, base_url="http://gateway") as outside:
        answer = await outside.request(method, path, headers={"X-Request-Id": "request-405"})
    assert answer.status_code == status
    assert answer.headers["X-Request-Id"] == "request-405"
    assert len(answer.json()["trace_id"]) == 32
    assert await count_requests(mesh, *labels) == before + 1
