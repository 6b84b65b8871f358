"""An event is proven by keys that its owner publishes, and waits while they cannot be fetched."""

import asyncio

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.crypto.ed25519 import build_key_set
from shared.database.session import SessionFactory
from shared.messaging import consumer
from shared.messaging.event_proofs import EventSigner, EventVerifier
from shared.web.calls.auth import KeySet
from shared.web.problems import Unavailable
from tests.shared.event_flow import HANDLERS, SERVICE, progressed, record, scalar, versions_of
from tests.shared.messaging.test_event_proofs import batch, is_proven
from tests.support.event_keys import KEYS, PublishedKeys, sign_records
from tests.support.waiting import eventually


async def test_withdrawn_key_proves_nothing_also_where_its_batch_was_seen() -> None:
    published = PublishedKeys(KEYS[SERVICE])
    verifier = EventVerifier({SERVICE: published})
    first, second = batch(2)
    assert await is_proven(first, verifier)
    published.keys.clear()
    assert not await is_proven(second, verifier)


async def test_retired_key_proves_what_it_signed_while_it_is_published() -> None:
    (old,) = batch(1)
    successor = Ed25519PrivateKey.generate()
    (new,) = sign_records(SERVICE, [old], EventSigner(successor))
    both = EventVerifier({SERVICE: PublishedKeys(successor, KEYS[SERVICE])})
    assert await is_proven(old, both)
    assert await is_proven(new, both)
    assert not await is_proven(old, EventVerifier({SERVICE: PublishedKeys(successor)}))


class KeyServer:
    """The wire to the owner's key set; may be cut, and its keys changed."""

    def __init__(self, *keys: Ed25519PrivateKey) -> None:
        self.keys, self.cut, self.asked = list(keys), False, 0
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        self.verifier = EventVerifier({SERVICE: KeySet(http, "http://dossier/event-keys.json")})

    def _answer(self, _: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.cut:
            raise httpx.ConnectError("cut")
        return httpx.Response(200, json=build_key_set(key.public_key() for key in self.keys))


async def test_consumer_waits_while_the_keys_cannot_be_fetched(
    sessions: SessionFactory, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.web.calls.auth.NO_KEYS_S", 0)
    server = KeyServer(KEYS[SERVICE])
    server.cut = True
    handling = asyncio.create_task(
        consumer.handle_records(sessions, [record(progressed(key, 3))], HANDLERS, server.verifier)
    )
    await eventually(lambda: server.asked >= 3)
    assert not handling.done()
    server.cut = False
    await handling
    assert await versions_of(sessions, key) == [3]
    assert await scalar(sessions, "SELECT count(*) FROM dead_letter") == 0


async def test_new_key_is_waited_for_in_an_outage_and_known_keys_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.web.calls.auth.UNKNOWN_KEY_S", 0)
    server = KeyServer(KEYS[SERVICE])
    (old,) = batch(1)
    await server.verifier.check(old)
    successor = Ed25519PrivateKey.generate()
    (new,) = sign_records(SERVICE, [old], EventSigner(successor))
    server.cut = True
    with pytest.raises(Unavailable):
        await server.verifier.check(new)
    await server.verifier.check(old)
    server.cut, server.keys = False, [successor, KEYS[SERVICE]]
    await server.verifier.check(new)
