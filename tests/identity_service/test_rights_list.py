"""The list of rights with which the gateway compares its own is whole, and for it alone."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from shared.auth import KeySet, Verifier
from shared.ed25519 import key_set, thumbprint
from shared.events import ClientChanged, GrantChanged
from shared.service_calls import sign_service_call
from tests.identity_service.calls import Identity

KEY = Ed25519PrivateKey.generate()
CLIENTS, GRANTS = "/internal/rights/clients", "/internal/rights/grants"


@pytest.fixture
def asked_by_gateway(identity: Identity) -> Identity:
    """The service believes `KEY` to be the gateway's."""
    answer = httpx.Response(200, json=key_set([KEY.public_key()]))
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer))
    identity.app.state.service_calls = Verifier(
        KeySet(http, "http://gateway/right-keys.json"),
        issuer="gateway",
        audience="identity_service/internal",
    )
    return identity


def shown(key: Ed25519PrivateKey = KEY) -> Mapping[str, str]:
    return {"Authorization": sign_service_call(key, "identity_service", now=time.time())}


async def list_all(identity: Identity, path: str, key: str) -> list[Any]:
    found: list[Any] = []
    after: Mapping[str, str] = {}
    while page := (await identity.http.get(path, headers=shown(), params=after)).json():
        found += page
        after = {"after": page[-1][key]}
    return found


async def test_gateway_gets_every_client_and_grant_once(
    asked_by_gateway: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("identity_service.routes.rights.MAX_ROWS", 3)
    clients = await list_all(asked_by_gateway, CLIENTS, "client_id")
    grants = await list_all(asked_by_gateway, GRANTS, "grant_id")
    async with asked_by_gateway.app.state.sessions() as session:
        registered = await session.scalars(text("SELECT client_id FROM client"))
        given = await session.scalars(text("SELECT id FROM access_grant WHERE revoked_at IS NULL"))
        assert sorted(each["client_id"] for each in clients) == sorted(registered)
        assert {str(each) for each in given} <= {each["grant_id"] for each in grants}
    assert [ClientChanged.model_validate(each) for each in clients]
    assert [GrantChanged.model_validate(each) for each in grants]


async def test_grant_is_listed_for_eight_days_after_its_end(asked_by_gateway: Identity) -> None:
    async with asked_by_gateway.app.state.sessions.begin() as session:
        grants = (await session.scalars(text("SELECT id FROM access_grant LIMIT 4"))).all()
        now = datetime.now(UTC)
        for column, grant, days in zip(
            ("revoked_at", "revoked_at", "valid_to", "valid_to"), grants, (7, 9, 7, 9), strict=True
        ):
            change = text(f"UPDATE access_grant SET {column} = :at WHERE id = :id")
            await session.execute(change, {"at": now - timedelta(days=days), "id": grant})
    listed = {each["grant_id"] for each in await list_all(asked_by_gateway, GRANTS, "grant_id")}
    assert [str(grant) in listed for grant in grants] == [True, False, True, False]
    async with asked_by_gateway.app.state.sessions.begin() as session:
        await session.execute(text("UPDATE access_grant SET revoked_at = NULL, valid_to = NULL"))


def claims(**over: object) -> dict[str, object]:
    now = int(time.time())
    told = {"iss": "gateway", "sub": "gateway", "aud": "identity_service/internal"}
    return {**told, "iat": now, "exp": now + 30, **over}


REFUSED: Mapping[str, Mapping[str, object]] = {
    "a right of a client": {"aud": "identity_service"},
    "for another service": {"aud": "dossier_service/internal"},
    "of another issuer": {"iss": "https://lienthong.local"},
    "expired": {"iat": int(time.time()) - 100, "exp": int(time.time()) - 60},
    "for a day": {"exp": int(time.time()) + 86_400},
}


@pytest.mark.parametrize("path", [CLIENTS, GRANTS])
@pytest.mark.parametrize("over", REFUSED.values(), ids=REFUSED)
async def test_assertion_that_is_not_the_gateways_for_this_is_refused(
    asked_by_gateway: Identity, over: Mapping[str, object], path: str
) -> None:
    kid = {"kid": thumbprint(KEY.public_key())}
    signed = jwt.encode(claims(**over), KEY, "EdDSA", kid)
    answer = await asked_by_gateway.http.get(path, headers={"Authorization": f"Bearer {signed}"})
    assert answer.status_code == 401


@pytest.mark.parametrize("path", [CLIENTS, GRANTS])
async def test_who_shows_nothing_or_signs_with_another_key_is_refused(
    asked_by_gateway: Identity, path: str
) -> None:
    stranger = shown(Ed25519PrivateKey.generate())
    for headers in ({}, stranger):
        assert (await asked_by_gateway.http.get(path, headers=headers)).status_code == 401
