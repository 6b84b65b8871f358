"""A service believes the gateway alone: a proved call, and a right that is signed for it."""

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from pydantic import SecretStr

from shared.runtime.app import create_service
from shared.settings import ServiceSettings
from shared.web.calls.auth import (
    Caller,
    CallerCheck,
)
from shared.web.calls.internal_headers import RIGHT_HEADER
from tests.shared.event_flow import SERVICE
from tests.shared.web.calls.test_key_set import Keys
from tests.support.event_keys import key_text
from tests.support.factories import CALL_KEY, DIGEST_KEY, ISSUER, TestAuthority
from tests.support.serving import calling

OPERATION = "GET /dossier/v1/dossiers/{code}"
PATH = "/dossier/v1/dossiers/H26-261122-0001"

router = APIRouter(prefix="/dossier/v1/dossiers")


@router.get("/{code}")
async def read(code: str, caller: Caller) -> dict[str, Any]:
    return {"client": caller.client, "agency": caller.agency, "officer": caller.officer}


@pytest.fixture(scope="module")
async def client(authority: TestAuthority) -> AsyncIterator[httpx.AsyncClient]:
    settings = ServiceSettings(
        name=SERVICE,
        database_url="postgresql+asyncpg://nobody@/none",
        kafka_servers="-",
        digest_key=DIGEST_KEY,
        event_key=SecretStr(key_text(SERVICE)),
    )
    app = create_service(
        settings, title="Test", prefix="/dossier/v1", routers=[router], call_key=CALL_KEY
    )
    async with calling(app, authority) as client:
        yield client


async def test_caller_is_the_client_that_the_gateway_names(
    client: httpx.AsyncClient, authority: TestAuthority
) -> None:
    answer = await client.get(PATH, headers=authority.headers(OPERATION, SERVICE))
    assert answer.status_code == 200
    assert answer.json() == {"client": "onestop-h26", "agency": "H26", "officer": "officer-1"}


NOW = int(time.time())
WRONG_RIGHTS: dict[str, tuple[dict[str, Any], int]] = {
    "expired": ({"exp": NOW - 60}, 401),
    "for another service": ({"aud": "sync_service"}, 401),
    "of another issuer": ({"iss": ISSUER}, 401),
    "for another operation": ({"operation": "DELETE /dossier/v1/dossiers/{code}"}, 403),
    "for one path instead of the template": ({"operation": f"GET {PATH}"}, 403),
    "of another client": ({"sub": "onestop-h29"}, 403),
}


@pytest.mark.parametrize(("over", "status"), WRONG_RIGHTS.values(), ids=WRONG_RIGHTS)
async def test_right_that_is_not_for_this_call_is_refused(
    client: httpx.AsyncClient, authority: TestAuthority, over: dict[str, Any], status: int
) -> None:
    right = authority.right(
        **{"client": "onestop-h26", "operation": OPERATION, "audience": SERVICE} | over
    )
    headers = authority.headers(OPERATION, SERVICE) | {RIGHT_HEADER: right}
    assert (await client.get(PATH, headers=headers)).status_code == status


@pytest.mark.parametrize("missing", ["X-Client", "X-Agency", RIGHT_HEADER])
async def test_call_without_a_client_or_a_right_is_refused(
    client: httpx.AsyncClient, authority: TestAuthority, missing: str
) -> None:
    headers = authority.headers(OPERATION, SERVICE)
    del headers[missing]
    answer = await client.get(PATH, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["type"] == "/problems/call-not-proved"


async def test_token_of_the_caller_opens_nothing(
    client: httpx.AsyncClient, authority: TestAuthority
) -> None:
    token = authority.token()
    for right in ({}, {RIGHT_HEADER: token}):
        bearer = {"Authorization": f"Bearer {token}"}
        assert (await client.get(PATH, headers=bearer | right)).status_code == 401


async def test_words_of_the_caller_are_read_as_utf_8(
    client: httpx.AsyncClient, authority: TestAuthority
) -> None:
    headers = authority.headers(OPERATION, SERVICE, officer=None)
    for sent, read in (("Đỗ Mai".encode(), "Đỗ Mai"), (b"\xd0", "\ufffd")):
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        answer = await client.get(PATH, headers=[*raw, (b"X-Officer", sent)])
        assert answer.json()["officer"] == read


async def test_unreachable_keys_are_an_outage_and_not_the_callers_fault(
    client: httpx.AsyncClient, authority: TestAuthority
) -> None:
    keys = Keys(authority)
    keys.cut = True
    app = client._transport.app  # type: ignore[attr-defined]  # httpx does not show it otherwise
    app.state.callers = CallerCheck(keys.verifier())
    try:
        answer = await client.get(PATH, headers=authority.headers(OPERATION, SERVICE))
    finally:
        authority.install(app)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
