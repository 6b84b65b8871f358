"""The list of rights with which the gateway compares its own is whole, and for it alone."""

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from shared.events import ClientChanged, GrantChanged
from shared.web.calls.service_calls import ServiceCallAuth
from tests.identity_service.calls import Identity
from tests.support.factories import CALL_KEY

CLIENTS, GRANTS = "/internal/rights/clients", "/internal/rights/grants"
PATHS = [CLIENTS, GRANTS]


@asynccontextmanager
async def asking(
    identity: Identity, key: SecretStr = CALL_KEY
) -> AsyncIterator[tuple[httpx.AsyncClient, list[httpx.Request]]]:
    """As the gateway asks, without the help of the tests' own client; and what was sent."""
    sent: list[httpx.Request] = []
    calls = identity.app.state.calls
    calls._begin_epoch()
    # One that ended within the test would be another cause of a refusal.
    calls._ends = math.inf

    async def note(request: httpx.Request) -> None:
        sent.append(httpx.Request(request.method, request.url, headers=request.headers))

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(identity.app),
        base_url="http://service",
        auth=ServiceCallAuth(key),
        event_hooks={"request": [note]},
    ) as http:
        yield http, sent


async def list_all(identity: Identity, path: str, key: str) -> list[Any]:
    found: list[Any] = []
    after: Mapping[str, str] = {}
    async with asking(identity) as (http, _):
        while page := (await http.get(path, params=after)).raise_for_status().json():
            found += page
            after = {"after": page[-1][key]}
    return found


async def test_gateway_gets_every_client_and_grant_once(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("identity_service.grants.routes.MAX_ROWS", 3)
    clients = await list_all(identity, CLIENTS, "client_id")
    grants = await list_all(identity, GRANTS, "grant_id")
    async with identity.app.state.sessions() as session:
        registered = await session.scalars(text("SELECT client_id FROM client"))
        given = await session.scalars(text("SELECT id FROM access_grant WHERE revoked_at IS NULL"))
        assert sorted(each["client_id"] for each in clients) == sorted(registered)
        assert {str(each) for each in given} <= {each["grant_id"] for each in grants}
    assert [ClientChanged.model_validate(each) for each in clients]
    assert [GrantChanged.model_validate(each) for each in grants]


async def test_grant_is_listed_for_eight_days_after_its_end(identity: Identity) -> None:
    async with identity.app.state.sessions.begin() as session:
        grants = (await session.scalars(text("SELECT id FROM access_grant LIMIT 4"))).all()
        now = datetime.now(UTC)
        for column, grant, days in zip(
            ("revoked_at", "revoked_at", "valid_to", "valid_to"), grants, (7, 9, 7, 9), strict=True
        ):
            change = text(f"UPDATE access_grant SET {column} = :at WHERE id = :id")
            await session.execute(change, {"at": now - timedelta(days=days), "id": grant})
    listed = {each["grant_id"] for each in await list_all(identity, GRANTS, "grant_id")}
    assert [str(grant) in listed for grant in grants] == [True, False, True, False]
    async with identity.app.state.sessions.begin() as session:
        await session.execute(text("UPDATE access_grant SET revoked_at = NULL, valid_to = NULL"))


async def test_call_of_an_old_epoch_is_proved_anew_once(identity: Identity) -> None:
    async with asking(identity) as (http, sent):
        for _ in range(2):
            assert (await http.get(CLIENTS)).status_code == 200
    # The first call learned the epoch, which the second one knew.
    assert len(sent) == 3


@pytest.mark.parametrize("path", PATHS)
async def test_captured_call_opens_the_list_no_second_time_and_no_other(
    identity: Identity, path: str
) -> None:
    async with asking(identity) as (http, sent):
        assert (await http.get(path)).status_code == 200
    captured = sent[-1]
    assert identity.app.state.calls.epoch.encode() in captured.headers["x-call-mac"].encode()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(identity.app)) as stranger:
        for target in (path, f"{path}?after=a", *PATHS):
            again = httpx.Request("GET", f"http://service{target}", headers=captured.headers)
            assert (await stranger.send(again)).status_code == 401


@pytest.mark.parametrize("path", PATHS)
async def test_caller_with_no_proof_or_that_of_another_key_is_refused(
    identity: Identity, path: str
) -> None:
    async with asking(identity, SecretStr("0b" * 32)) as (http, sent):
        assert (await http.get(path)).status_code == 401
        assert len(sent) == 2
        assert (await http.get(path, auth=None)).status_code == 401


@pytest.mark.parametrize("path", PATHS)
async def test_call_of_a_client_is_refused_also_where_it_is_proved(
    identity: Identity, path: str
) -> None:
    signed = identity.authority.headers("*", "identity_service", client="operator-vpcp")
    assert (await identity.http.get(path)).status_code == 200
    assert (await identity.http.get(path, headers=signed)).status_code == 401
