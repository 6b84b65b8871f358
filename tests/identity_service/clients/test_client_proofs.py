"""Keys are added and removed, and access is ended, by the client itself or by two operators."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import update

from identity_service.clients.models import Proposal
from tests.identity_service.calls import ONE_STOP, OPERATOR, POLICE, SECOND_OPERATOR, Identity
from tests.identity_service.client_acts import (
    ADD_KEY,
    DEACTIVATE,
    REACTIVATE,
    REMOVE_KEY,
    kids,
    proof,
    public,
    register_keyed,
)
from tests.identity_service.signing_in import ask_signed, assertion, refused

FIRST_VERSION = {"If-Match": '"1"'}


def signed_by(statement: str) -> dict[str, str]:
    return {"X-Client-Proof": statement}


async def test_one_operator_alone_adds_no_key(identity: Identity) -> None:
    client, _ = await register_keyed(identity)
    key, at = public(Ed25519PrivateKey.generate(), "second"), {"client_id": client}
    for _ in range(2):
        proposed = await identity.call(ADD_KEY, at=at, json=key)
        assert proposed.status_code == 202
        assert proposed.json()["act"] == "add-key"
        assert proposed.json()["proposed_by"] == "operator-vpcp"
    assert await kids(identity, client) == ["first"]
    added = await identity.call(ADD_KEY, by=SECOND_OPERATOR, at=at, json=key)
    assert (added.status_code, added.json()["kid"]) == (201, "second")


async def test_a_second_operator_confirms_the_very_same_key_and_no_other(
    identity: Identity,
) -> None:
    client, _ = await register_keyed(identity)
    at, key = {"client_id": client}, Ed25519PrivateKey.generate()
    await identity.call(ADD_KEY, at=at, json=public(key, "second"))
    for other in (public(Ed25519PrivateKey.generate(), "second"), public(key, "third")):
        answer = await identity.call(ADD_KEY, by=SECOND_OPERATOR, at=at, json=other)
        assert answer.status_code == 202
    assert await kids(identity, client) == ["first"]


@pytest.mark.parametrize("caller", [ONE_STOP, POLICE, ("keyed-itself", "G18")])
async def test_whoever_is_no_operator_needs_the_signature_of_the_client(
    identity: Identity, caller: tuple[str, str]
) -> None:
    client, _ = await register_keyed(identity)
    at = {"client_id": client, "kid": "first"}
    key = public(Ed25519PrivateKey.generate(), "second")
    asked: dict[str, dict[str, Any]] = {
        ADD_KEY: {"json": key},
        REMOVE_KEY: {},
        DEACTIVATE: {"headers": FIRST_VERSION},
        REACTIVATE: {"headers": FIRST_VERSION},
    }
    for operation, sent in asked.items():
        answer = await identity.call(operation, by=caller, at=at, **sent)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/operators-only")
    assert await kids(identity, client) == ["first"]


async def test_a_client_adds_and_removes_keys_by_signature_of_an_old_one(
    identity: Identity,
) -> None:
    client, old = await register_keyed(identity)
    by, at = (client, "G18"), {"client_id": client}
    new = public(Ed25519PrivateKey.generate(), "second")
    adding = proof(old, client, "add-key", new)
    added = await identity.call(ADD_KEY, by=by, at=at, json=new, headers=signed_by(adding))
    assert added.status_code == 201, added.text
    again = public(Ed25519PrivateKey.generate(), "third")
    repeated = await identity.call(ADD_KEY, by=by, at=at, json=again, headers=signed_by(adding))
    assert repeated.json()["type"] == "/problems/proof-refused"
    removing = proof(old, client, "remove-key", public(old, "first"))
    removed = await identity.call(
        REMOVE_KEY, by=by, at=at | {"kid": "first"}, headers=signed_by(removing)
    )
    assert removed.status_code == 204, removed.text
    assert await kids(identity, client) == ["second"]
    late = proof(old, client, "deactivate")
    ended = await identity.call(DEACTIVATE, by=by, at=at, headers=FIRST_VERSION | signed_by(late))
    assert ended.json()["type"] == "/problems/proof-refused", "the key is no longer the client's"


async def test_a_proof_is_good_once_also_for_two_at_once(identity: Identity) -> None:
    client, old = await register_keyed(identity)
    new = public(Ed25519PrivateKey.generate(), "second")
    headers = signed_by(proof(old, client, "add-key", new))
    both = await asyncio.gather(
        *(
            identity.call(ADD_KEY, at={"client_id": client}, json=new, headers=headers)
            for _ in range(2)
        )
    )
    assert sorted(each.status_code for each in both) == [201, 403]


@pytest.mark.parametrize(
    "wrong",
    [
        {"act": "remove-key"},
        {"act": "deactivate"},
        {"act": "grant"},
        {"act": None},
        {"jkt": None},
        {"jkt": "another"},
        {"jkt": 7},
        {"sub": "onestop-h26"},
        {"sub": None},
        {"aud": "https://elsewhere.example"},
        {"aud": ["https://lienthong.local", "https://elsewhere.example"]},
        {"aud": None},
        pytest.param({"iat": int(time.time()) - 3_600}, id="an hour old"),
        pytest.param({"iat": int(time.time()) + 3_600}, id="an hour ahead"),
        {"iat": "now"},
        {"iat": None},
        {"jti": None},
        {"jti": ["x"]},
        {"kid": "second"},
        {"typ": "JWT"},
        {"typ": "client-authentication+jwt"},
    ],
    ids=str,
)
async def test_a_proof_of_anything_else_is_refused(
    identity: Identity, wrong: dict[str, Any]
) -> None:
    client, old = await register_keyed(identity)
    new = public(Ed25519PrivateKey.generate(), "second")
    headers = signed_by(proof(old, client, "add-key", new, **wrong))
    for by in (OPERATOR, (client, "G18")):
        answer = await identity.call(
            ADD_KEY, by=by, at={"client_id": client}, json=new, headers=headers
        )
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/proof-refused")
    assert await kids(identity, client) == ["first"]


async def test_a_key_of_somebody_else_signs_no_act(identity: Identity) -> None:
    client, _ = await register_keyed(identity)
    other, others = await register_keyed(identity)
    new = public(Ed25519PrivateKey.generate(), "second")
    for signer in (others, Ed25519PrivateKey.generate()):
        headers = signed_by(proof(signer, client, "add-key", new))
        answer = await identity.call(ADD_KEY, at={"client_id": client}, json=new, headers=headers)
        assert answer.json()["type"] == "/problems/proof-refused"
    assert await kids(identity, client) == await kids(identity, other) == ["first"]


async def test_a_proof_gets_no_token_and_an_assertion_proves_no_act(identity: Identity) -> None:
    client, key = await register_keyed(identity)
    new = public(Ed25519PrivateKey.generate(), "second")
    refused(await ask_signed(identity, proof(key, client, "add-key", new)), "invalid_client")
    refused(
        await ask_signed(
            identity,
            proof(key, client, "add-key", new, iss=client, exp=int(time.time()) + 60),
        ),
        "invalid_client",
    )
    claimed: dict[str, Any] = {"iss": client, "sub": client}
    headers = signed_by(assertion(key, **claimed))
    answer = await identity.call(ADD_KEY, at={"client_id": client}, json=new, headers=headers)
    assert answer.json()["type"] == "/problems/proof-refused"


async def test_a_proposal_ends_after_a_day(identity: Identity) -> None:
    client, _ = await register_keyed(identity)
    at, key = {"client_id": client}, public(Ed25519PrivateKey.generate(), "second")
    proposed = (await identity.call(ADD_KEY, at=at, json=key)).json()
    told = [datetime.fromisoformat(proposed[name]) for name in ("proposed_at", "expires_at")]
    assert told[1] - told[0] == timedelta(hours=24)
    await _end_proposals(identity, client)
    late = await identity.call(ADD_KEY, by=SECOND_OPERATOR, at=at, json=key)
    assert (late.status_code, late.json()["proposed_by"]) == (202, "operator2-vpcp")


async def _end_proposals(identity: Identity, client: str) -> None:
    ended = datetime.now(UTC) - timedelta(seconds=1)
    async with identity.app.state.sessions.begin() as session:
        mine = update(Proposal).where(Proposal.target == client)
        await session.execute(mine.values(expires_at=ended))


async def test_a_proposal_of_a_former_operator_counts_for_nothing(identity: Identity) -> None:
    client, _ = await register_keyed(identity)
    former, its_key = await register_keyed(identity, operator=True, agency="G22")
    at, key = {"client_id": client}, public(Ed25519PrivateKey.generate(), "second")
    assert (await identity.call(ADD_KEY, by=(former, "G22"), at=at, json=key)).status_code == 202
    ended = await identity.call(
        DEACTIVATE,
        by=(former, "G22"),
        at={"client_id": former},
        headers=FIRST_VERSION | signed_by(proof(its_key, former, "deactivate")),
    )
    assert ended.json()["active"] is False
    assert (await identity.call(ADD_KEY, at=at, json=key)).status_code == 202
    assert await kids(identity, client) == ["first"]


async def test_two_operators_remove_a_key(identity: Identity) -> None:
    client, key = await register_keyed(identity)
    at = {"client_id": client, "kid": "first"}
    assert (await identity.call(REMOVE_KEY, at=at)).status_code == 202
    claimed: dict[str, Any] = {"iss": client, "sub": client}
    assert (await ask_signed(identity, assertion(key, **claimed))).status_code == 200
    assert (await identity.call(REMOVE_KEY, by=SECOND_OPERATOR, at=at)).status_code == 204
    refused(await ask_signed(identity, assertion(key, **claimed)), "invalid_client")


async def test_an_operator_undoes_a_deactivation(identity: Identity) -> None:
    client, key = await register_keyed(identity)
    at = {"client_id": client}
    claimed: dict[str, Any] = {"iss": client, "sub": client}
    assert (await identity.call(DEACTIVATE, at=at, headers=FIRST_VERSION)).status_code == 202
    headers = FIRST_VERSION | signed_by(proof(key, client, "deactivate"))
    assert (await identity.call(DEACTIVATE, at=at, headers=headers)).json()["active"] is False
    refused(await ask_signed(identity, assertion(key, **claimed)), "invalid_client")
    stale = await identity.call(REACTIVATE, at=at, headers=FIRST_VERSION)
    assert (stale.status_code, stale.json()["version"]) == (412, 2)
    once = {"If-Match": '"2"', "Idempotency-Key": str(uuid4())}
    undone = await identity.call(REACTIVATE, at=at, headers=once)
    assert (undone.json()["active"], undone.headers["ETag"]) == (True, '"3"')
    assert (await identity.call(REACTIVATE, at=at, headers=once)).json() == undone.json()
    assert (await ask_signed(identity, assertion(key, **claimed))).status_code == 200
    assert [each["active"] for each in await identity.events(client)] == [True, False, True]
