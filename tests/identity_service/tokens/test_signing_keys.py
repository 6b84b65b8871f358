"""The keys that sign tokens: one set for all processes, rotated, kept through an outage."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import InvalidToken
from pydantic import SecretStr
from sqlalchemy import event, select

from deploy.secrets import key_encryption_key
from identity_service.main import create_app
from identity_service.settings import Settings
from identity_service.tokens.commands import commands
from identity_service.tokens.jobs import delete_expired_keys
from identity_service.tokens.models import SigningKey
from identity_service.tokens.signing_keys import (
    LEAD,
    Signer,
    SigningKeys,
    rotate_signing_keys,
)
from shared.database.session import SessionFactory
from tests.conftest import Databases
from tests.identity_service.calls import Identity
from tests.identity_service.commands import run_command
from tests.identity_service.signing_in import ask, secret_form
from tests.support.serving import calling


async def test_key_set_and_metadata_are_public_and_cached(identity: Identity) -> None:
    keys = await identity.http.get("/.well-known/jwks.json")
    assert keys.headers["Cache-Control"] == "public, max-age=300"
    assert all("d" not in key and key["alg"] == "ES256" for key in keys.json()["keys"])
    metadata = (await identity.http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["issuer"] == "https://lienthong.local"
    assert metadata["token_endpoint"] == "https://lienthong.local/oauth/token"
    assert "private_key_jwt" in metadata["token_endpoint_auth_methods_supported"]


@pytest.fixture
async def emptied(identity: Identity) -> SigningKeys:
    """As at the first start: no key yet."""
    async with identity.app.state.sessions.begin() as session:
        for key in await session.scalars(select(SigningKey)):
            await session.delete(key)
    return fresh(identity)


def fresh(identity: Identity) -> SigningKeys:
    """As another process sees them, or this one half a minute later."""
    return SigningKeys(identity.app.state.sessions, identity.settings.key_encryption_key)


async def sign(keys: SigningKeys) -> Signer:
    return await keys.select_signer(datetime.now(UTC))


async def test_two_processes_that_start_at_once_make_one_key(
    identity: Identity, emptied: SigningKeys
) -> None:
    one, other = await sign(emptied), await sign(fresh(identity))
    assert one.kid == other.kid
    assert len(await emptied.list_public_keys()) == 1


async def test_callers_at_once_do_not_take_the_last_connections_from_the_reload_of_keys(
    settings: Settings,
) -> None:
    async with calling(create_app(settings.model_copy(update={"database_pool": 2}))) as http:
        form = secret_form(settings, "onestop-h26")
        responses = await asyncio.gather(
            *(http.post("/oauth/token", data=form) for _ in range(8)),
            *(http.get("/.well-known/jwks.json") for _ in range(8)),
        )
    assert [response.status_code for response in responses] == [200] * 16


async def test_whoever_waits_for_the_keys_finds_those_that_the_first_one_read(
    identity: Identity, emptied: SigningKeys
) -> None:
    await sign(emptied)
    keys, reads = fresh(identity), 0

    def count(_: object) -> None:
        nonlocal reads
        reads += 1

    sessions: SessionFactory = identity.app.state.sessions
    engine = sessions.kw["bind"].sync_engine
    event.listen(engine, "begin", count)
    try:
        await asyncio.gather(*(sign(keys) for _ in range(5)))
    finally:
        event.remove(engine, "begin", count)
    assert reads == 1


async def test_a_private_key_is_not_readable_in_the_database(
    identity: Identity, emptied: SigningKeys
) -> None:
    await sign(emptied)
    async with identity.app.state.sessions() as session:
        row = (await session.scalars(select(SigningKey))).one()
    assert b"PRIVATE KEY" not in row.sealed
    assert "d" not in row.jwk


async def test_rotation_publishes_before_it_signs_and_keeps_the_old_until_its_tokens_ended(
    identity: Identity, emptied: SigningKeys
) -> None:
    sessions = identity.app.state.sessions
    first = await sign(emptied)
    at = datetime.now(UTC)
    second = await rotate_signing_keys(sessions, identity.settings.key_encryption_key, now=at)
    assert second.signs_from == at + LEAD
    now = fresh(identity)
    assert {key["kid"] for key in await now.list_public_keys()} == {first.kid, second.kid}
    assert (await sign(now)).kid == first.kid

    await _began_to_sign(identity, second.kid, ago=timedelta(minutes=10))
    later = fresh(identity)
    assert (await sign(later)).kid == second.kid
    await _forget(identity)
    assert len(await fresh(identity).list_public_keys()) == 2, "a token of the first may be alive"

    await _began_to_sign(identity, second.kid, ago=timedelta(minutes=16))
    await _forget(identity)
    assert [key["kid"] for key in await fresh(identity).list_public_keys()] == [second.kid]


async def test_keys_sealed_by_a_lost_secret_are_discarded_and_another_signs(
    identity: Identity, emptied: SigningKeys
) -> None:
    first = await sign(emptied)
    lost = SecretStr(key_encryption_key())
    settings = identity.settings.model_copy(update={"key_encryption_key": lost})
    now = SigningKeys(identity.app.state.sessions, lost)
    with pytest.raises(InvalidToken):
        await sign(now)
    discarded = await asyncio.to_thread(run_command, commands, settings, "discard")
    assert discarded.exit_code == 0, discarded.output
    try:
        assert (await sign(now)).kid != first.kid
    finally:  # the other tests have the other secret
        await asyncio.to_thread(run_command, commands, settings, "discard")


async def _began_to_sign(identity: Identity, kid: str, *, ago: timedelta) -> None:
    async with identity.app.state.sessions.begin() as session:
        key = await session.get(SigningKey, kid)
        key.signs_from = datetime.now(UTC) - ago
        others = await session.scalars(select(SigningKey).where(SigningKey.kid != kid))
        for other in others:
            other.signs_from = datetime.now(UTC) - timedelta(days=30)


async def _forget(identity: Identity) -> None:
    async with identity.app.state.sessions.begin() as session:
        await delete_expired_keys(session, now=datetime.now(UTC))


async def test_keys_outlive_an_outage_of_the_database_and_tokens_wait_for_its_end(
    settings: Settings, identity: Identity, postgres: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = (await identity.http.get("/.well-known/jwks.json")).json()
    monkeypatch.setattr("identity_service.tokens.signing_keys._RELOAD_S", -1.0)
    postgres.server.stop()
    try:
        assert (await identity.http.get("/.well-known/jwks.json")).json() == published
        response = await ask(identity, secret_form(settings, "onestop-h26"))
        assert response.status_code == 503
        assert response.headers["Retry-After"]
    finally:
        postgres.server.start()
    assert (await ask(identity, secret_form(settings, "onestop-h26"))).status_code == 200
