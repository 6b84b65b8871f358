"""The last operator that can sign on and act is not taken out of the mesh, in whichever way."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, select, update

from identity_service.clients.models import Client, ClientKey
from identity_service.grants.models import Grant
from identity_service.seed import seed
from identity_service.settings import Settings
from shared.database.engine import open_database
from tests.conftest import Databases
from tests.identity_service.calls import OPERATOR, Identity
from tests.identity_service.client_acts import (
    DEACTIVATE,
    REMOVE_KEY,
    proof,
    public,
)
from tests.identity_service.conftest import make_settings, serving
from tests.support.factories import TestAuthority

REVOKE = "POST /identity/v1/grants/{grant_id}/revocation"
KEY = Ed25519PrivateKey.generate()
ACTS = ("deactivate", "remove-key", "revoke")


@pytest.fixture(scope="module")
async def alone(postgres: Databases) -> AsyncIterator[Identity]:
    """An installation whose one operator has one key and no secret."""
    settings = make_settings(postgres.migrated_url("identity_service"), people=0)
    await seed(settings)
    await _leave_one_operator(settings)
    async with serving(settings, TestAuthority()) as identity:
        yield identity


async def _leave_one_operator(settings: Settings) -> None:
    async with open_database(settings) as sessions, sessions.begin() as session:
        await session.execute(delete(Grant).where(Grant.client_id == "operator2-vpcp"))
        await session.execute(delete(Client).where(Client.client_id == "operator2-vpcp"))
        await session.execute(update(Client).values(secret_digest=None))
        await session.flush()
        await _add_key(session, OPERATOR[0])


async def _add_key(session: Any, client: str) -> None:
    jwk = public(KEY, "first") | {"alg": "EdDSA"}
    row = ClientKey(client_id=client, kid="first", jwk=jwk)
    row.added_at = (await session.scalars(select(Grant.given_at))).first()
    session.add(row)


async def act(identity: Identity, name: str) -> Any:
    client = OPERATOR[0]
    first = {"If-Match": '"1"'}
    if name == "revoke":
        async with identity.app.state.sessions() as session:
            grant = await session.scalar(select(Grant.id).where(Grant.client_id == client))
        return await identity.call(REVOKE, at={"grant_id": grant}, headers=first)
    if name == "remove-key":
        signed = proof(KEY, client, "remove-key", public(KEY, "first"))
        at = {"client_id": client, "kid": "first"}
        return await identity.call(REMOVE_KEY, at=at, headers={"X-Client-Proof": signed})
    signed = proof(KEY, client, "deactivate")
    return await identity.call(
        DEACTIVATE, at={"client_id": client}, headers=first | {"X-Client-Proof": signed}
    )


@pytest.mark.parametrize("name", ACTS)
async def test_the_last_operator_stays(alone: Identity, name: str) -> None:
    answer = await act(alone, name)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/last-operator")


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("other", ["without a key", "without a right", "inactive"])
async def test_an_operator_that_cannot_act_is_not_one_that_is_left(
    alone: Identity, name: str, other: str
) -> None:
    made = {
        "client_id": f"other-{other.replace(' ', '-')}-{name}",
        "agency": "G22",
        "name": "x",
        "kind": "production",
        "operator": True,
    }
    created = await alone.call("POST /identity/v1/clients", json=made)
    client = created.json()["client_id"]
    if other != "without a right":
        given = {"client_id": client, "operations": ["*"], "legal_basis": "Luật 26/2023"}
        assert (await alone.call("POST /identity/v1/grants", json=given)).status_code == 201
    async with alone.app.state.sessions.begin() as session:
        if other != "without a key":
            await _add_key(session, client)
        if other == "inactive":
            row = await session.get_one(Client, client)
            row.set_active(active=False)
    answer = await act(alone, name)
    assert answer.json()["type"] == "/problems/last-operator"
