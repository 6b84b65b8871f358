"""The gateway's own operations, and the answers to requests that are no operation."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
from starlette.types import Receive, Scope, Send

from gateway.operations.model import QuotaClass, Service
from gateway.operations.quotas import DEFAULT_QUOTAS, Quota
from gateway.operations.table import OPERATIONS
from tests.support.gateway_harness import LIST, Gate, make_grant
from tests.support.waiting import eventually

CHANGES = [
    each.name
    for each in OPERATIONS.values()
    if each.service is Service.GATEWAY and each.takes_effect
]


def test_own_changes_are_found() -> None:
    assert CHANGES


@pytest.mark.parametrize("change", CHANGES)
async def test_own_change_is_on_record_before_it_is_made(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    own: Any = gate.gateway.local_app.state.forwarder._local_routes
    routes, go = own._routes, asyncio.Event()

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await routes(scope, receive, send)

    monkeypatch.setattr(own, "_routes", wait)
    client = await gate.newcomer(make_grant(operations=["*"], agencies=None), agency="G22")
    asked = change.format(letter_id=uuid4())
    call = asyncio.create_task(gate.ask(asked, client=client, agency="G22"))
    [row] = await eventually(lambda: gate.records(client=client, pending=True))
    announced = json.loads(row["record"])
    assert (announced["status"], announced["outcome"]) == (None, "unknown")
    assert announced["target"] == asked.split()[1].removesuffix("/replay")
    go.set()
    assert (await call).json()["type"] == "/problems/dead-letter-not-found"
    _, row = await gate.records(client=client)
    last = json.loads(row["record"])
    assert (last["completes"], last["status"]) == (announced["id"], 404)
    assert last["outcome"] == "refused"


async def test_own_change_that_ends_with_its_process_stays_unknown(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    own: Any = gate.gateway.local_app.state.forwarder._local_routes
    begun = asyncio.Event()

    async def hang(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(own, "_routes", hang)
    client = await gate.newcomer(make_grant(operations=["*"], agencies=None), agency="G22")
    asked = CHANGES[0].format(letter_id=uuid4())
    call = asyncio.create_task(gate.ask(asked, client=client, agency="G22"))
    await begun.wait()
    call.cancel()
    await asyncio.wait([call])
    outcomes = [row["outcome"] for row in await gate.records(client=client)]
    assert outcomes == ["unknown", "unknown"]


PATH = LIST.split()[1]


async def test_wrong_method_names_the_right_ones(gate: Gate) -> None:
    answer = await gate.http.put(PATH)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")
    assert answer.headers["Content-Type"] == "application/problem+json"


# Each is a route of the gateway's own, but for a sign that no value of the table begins with.
BESIDE_THE_TABLE = [
    each.template.split("{")[0] + sign + each.template.partition("}")[2]
    for each in OPERATIONS.values()
    if each.service is Service.GATEWAY and "{" in each.template
    for sign in ("_x", "-", "a+b", "%41", "")
]
BESIDE_THE_PAGES = ["/docs/", "/docs/files/", "/problems/", "/problems/Not-Allowed", "/redoc"]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT"])
@pytest.mark.parametrize("path", sorted({*BESIDE_THE_TABLE, *BESIDE_THE_PAGES}))
async def test_path_outside_the_table_comes_to_no_route(gate: Gate, method: str, path: str) -> None:
    client = await gate.newcomer(make_grant(operations=["*"], agencies=None), agency="G22")
    token = {"Authorization": f"Bearer {gate.authority.token(client, 'G22')}"}
    for headers in ({}, token):
        answer = await gate.http.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (404, "about:blank"), answer.text


@pytest.mark.usefixtures("stopped_quota_clock")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("PUT", PATH, 405), ("GET", "/oauth/token", 405), ("GET", "/nothing", 404)],
)
async def test_refusal_of_each_unknown_operation_has_a_quota_by_address(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, method: str, path: str, status: int
) -> None:
    own: Any = gate.gateway.local_app.state.forwarder._local_routes
    monkeypatch.setattr(own._quotas, "_defaults", {**DEFAULT_QUOTAS, QuotaClass.OPEN: Quota(2, 61)})
    monkeypatch.setattr(own._quotas, "_calls", type(own._quotas._calls)())
    answers = [await gate.http.request(method, path) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [status, status, 429, 429]
