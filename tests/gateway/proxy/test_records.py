import asyncio
from hashlib import sha256

import pytest
from aiohttp import ClientError, ClientSession

from gateway.access.problems import QuotaSpent
from gateway.ledger.records import AccessOutcome
from gateway.operations.model import KIB, MIB
from tests.support.fake_upstream import (
    NAMED,
    SUBJECT,
    Answering,
    Behind,
    Door,
    answer,
    breaking,
    hang,
)
from tests.support.waiting import eventually

VERIFY = "/identity/v1/verifications"
LIST = "/dossier/v1/dossiers"


async def test_personal_answer_waits_for_its_record(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    door.records.open.clear()
    request = asyncio.create_task(caller.post(f"{door.url}{VERIFY}", data=b'{"n": 1}'))
    await eventually(lambda: door.records.recorded)
    done, _ = await asyncio.wait([request], timeout=0.2)
    assert not done
    door.records.open.set()
    response = await request
    assert await response.read() == b"{}"
    (record,) = door.records.recorded
    assert (record.operation.name, record.client) == (f"POST {VERIFY}", "h26-onestop")
    assert (record.status, record.outcome) == (200, AccessOutcome.ALLOWED)
    assert record.request_sha256 == sha256(b'{"n": 1}').hexdigest()
    assert record.response_sha256 == sha256(b"{}").hexdigest()
    assert (record.subjects, record.fields) == ((SUBJECT,), ("name", "birth_date"))
    assert record.request_id == response.headers["X-Request-Id"]
    assert record.duration_s > 0
    assert door.records.noted == []


async def test_nothing_leaves_where_the_record_cannot_be_made(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    door.records.away = True
    async with caller.post(f"{door.url}{VERIFY}", data=b"{}") as response:
        assert response.status == 503
        assert (await response.json(content_type=None))["type"] == "/problems/unavailable"
        assert "Retry-After" in response.headers


async def test_answer_that_names_nobody_is_held_back(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    behind.reply = answer(b'{"secret": 1}')
    async with caller.post(f"{door.url}{VERIFY}", data=b"{}") as response:
        assert response.status == 502
        assert "secret" not in await response.text()
    (record,) = door.records.recorded
    assert (record.status, record.outcome) == (502, AccessOutcome.UNKNOWN)


async def test_refused_call_is_recorded_and_not_passed_on(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    door.refusal = QuotaSpent("verification", amount=1, window_s=60, reset_s=7)
    async with caller.post(f"{door.url}{VERIFY}", data=b"{}") as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "7")
    (record,) = door.records.recorded
    assert (record.outcome, record.client) == (AccessOutcome.REFUSED, "h26-onestop")
    assert behind.asked == []


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("307 Temporary Redirect", AccessOutcome.ALLOWED),
        ("400 Bad Request", AccessOutcome.NO_EFFECT),
        ("403 Forbidden", AccessOutcome.REFUSED),
        ("404 Not Found", AccessOutcome.REFUSED),
        ("409 Conflict", AccessOutcome.NO_EFFECT),
        ("412 Precondition Failed", AccessOutcome.NO_EFFECT),
        ("422 Unprocessable Content", AccessOutcome.NO_EFFECT),
        ("429 Too Many Requests", AccessOutcome.REFUSED),
        ("500 Internal Server Error", AccessOutcome.FAILED),
    ],
)
async def test_what_the_service_answers_is_recorded(
    door: Door, behind: Behind, caller: ClientSession, status: str, outcome: AccessOutcome
) -> None:
    behind.reply = answer(b"{}", status=status)
    async with caller.get(f"{door.url}{LIST}/H26-1") as response:
        assert response.status == int(status[:3])
    (record,) = door.records.recorded
    assert (record.outcome, record.dossier, record.subjects) == (outcome, "H26-1", ())


async def test_long_personal_answer_is_recorded_twice(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    body = bytes(range(256)) * 8 * KIB
    behind.reply = answer(body, NAMED)
    async with caller.get(f"{door.url}{LIST}/H26-1") as response:
        assert await response.read() == body
    await eventually(lambda: len(door.records.recorded) == 2)
    first, second = door.records.recorded
    assert (first.completes, first.response_sha256) == (None, None)
    # By its own id: the request's is the caller's, who may use it again.
    assert (second.completes, second.response_sha256) == (first.id, sha256(body).hexdigest())
    assert second.id != first.id
    assert first.subjects == second.subjects == (SUBJECT,)


async def test_long_personal_answer_that_breaks_is_recorded_as_failed(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    behind.reply = breaking(answer(b"x" * 3 * MIB, NAMED)[: 2 * MIB])
    with pytest.raises(ClientError):
        await (await caller.get(f"{door.url}{LIST}/H26-1")).read()
    await eventually(lambda: len(door.records.recorded) == 2)
    second = door.records.recorded[1]
    assert (second.completes, second.outcome) == (door.records.recorded[0].id, AccessOutcome.FAILED)
    assert second.response_sha256 is None


async def test_other_calls_are_noted_without_waiting(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    door.records.open.clear()
    async with caller.get(f"{door.url}{LIST}") as response:
        assert response.status == 200
    (note,) = await eventually(lambda: door.records.noted)
    assert (note.status, note.outcome, note.response_sha256) == (200, AccessOutcome.ALLOWED, None)
    assert door.records.recorded == []


@pytest.mark.parametrize("reply", [hang, breaking(b"HTTP/1.1 20")])
async def test_request_is_recorded_whole_where_no_answer_came(
    door: Door, behind: Behind, caller: ClientSession, reply: Answering
) -> None:
    door.timeout_s, behind.reply = 0.3, reply
    await caller.post(f"{door.url}{VERIFY}", data=b'{"n": 1}')
    (record,) = door.records.recorded
    assert record.request_sha256 == sha256(b'{"n": 1}').hexdigest()


async def test_request_of_a_caller_who_left_is_recorded_whole(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    behind.reply = hang
    request = asyncio.create_task(caller.post(f"{door.url}{VERIFY}", data=b'{"n": 1}'))
    await eventually(lambda: behind.asked)
    request.cancel()
    (record,) = await eventually(lambda: door.records.recorded)
    assert record.request_sha256 == sha256(b'{"n": 1}').hexdigest()


async def test_unexpected_error_tells_nothing(door: Door, caller: ClientSession) -> None:
    door.refusal = RuntimeError("079203001234")
    async with caller.get(f"{door.url}{LIST}") as response:
        assert response.status == 500
        assert "0792" not in await response.text()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/identity/v1/grants"),
        ("POST", "/identity/v1/clients"),
        ("POST", "/identity/v1/agencies"),
        ("DELETE", "/identity/v1/clients/onestop-h26/keys/first"),
        ("POST", "/sync/v1/dead-letters/7/replay"),
        ("DELETE", "/sync/v1/dead-letters/7"),
    ],
)
async def test_act_of_administration_waits_for_its_record(
    door: Door, behind: Behind, caller: ClientSession, method: str, path: str
) -> None:
    door.records.open.clear()
    body = None if method == "DELETE" else b"{}"
    request = asyncio.create_task(caller.request(method, f"{door.url}{path}", data=body))
    await eventually(lambda: len(door.records.recorded) == 2)
    done, _ = await asyncio.wait([request], timeout=0.2)
    assert not done
    door.records.open.set()
    assert (await request).status == 200
    announced, record = door.records.recorded
    assert (announced.outcome, record.completes) == (AccessOutcome.UNKNOWN, announced.id)
    assert (record.outcome, record.response_sha256) == (
        AccessOutcome.ALLOWED,
        sha256(b"{}").hexdigest(),
    )
    assert door.records.noted == []


async def test_administration_stops_where_it_cannot_be_recorded(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    door.records.away = True
    async with caller.post(f"{door.url}/identity/v1/grants", data=b"{}") as response:
        assert response.status == 503
        assert "Retry-After" in response.headers
