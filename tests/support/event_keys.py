"""The keys by which the services of a test prove their events, and messages signed with them."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
from aiokafka import AIOKafkaProducer, ConsumerRecord
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deploy.services import SERVICES
from shared.crypto.ed25519 import build_key_set
from shared.events import Event
from shared.messaging.event_proofs import PROOF, EventSigner, EventVerifier, Message
from shared.messaging.outbox import _build_row
from shared.runtime.event_keys import PATH

KEYS = {service: Ed25519PrivateKey.generate() for service in SERVICES}
SIGNERS = {service: EventSigner(key) for service, key in KEYS.items()}


def key_text(service: str) -> str:
    """The setting `event_key` of that service."""
    key = KEYS[service]
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class PublishedKeys:
    """The key set of a service as a consumer sees it; a test may change or cut it."""

    def __init__(self, *keys: Ed25519PrivateKey) -> None:
        found = build_key_set(key.public_key() for key in keys)["keys"]
        self.keys = {jwk["kid"]: jwt.PyJWK(jwk) for jwk in found}
        self.asked = 0

    async def get_current(self, kid: str, since: float) -> jwt.PyJWK | None:  # noqa: ARG002
        self.asked += 1
        return self.keys.get(kid)


def make_verifier() -> EventVerifier:
    return EventVerifier({service: PublishedKeys(key) for service, key in KEYS.items()})


VERIFIER = make_verifier()


def sign_records(
    service: str, records: Sequence[ConsumerRecord], signer: EventSigner | None = None
) -> list[ConsumerRecord]:
    """The same messages with the proofs that the relay of `service` would add to this batch."""
    plain = [
        Message(each.topic, each.key, each.value, [h for h in each.headers if h[0] != PROOF])
        for each in records
    ]
    proofs = (signer or SIGNERS[service]).prove(plain)
    return [
        _with_headers(record, [*message.headers, (PROOF, proof)])
        for record, message, proof in zip(records, plain, proofs, strict=True)
    ]


def _with_headers(record: ConsumerRecord, headers: Sequence[tuple[str, bytes]]) -> ConsumerRecord:
    return change_record(record, headers=tuple(headers))


def change_record(record: ConsumerRecord, **over: Any) -> ConsumerRecord:
    """A copy; `over` replaces its parts and leaves its proof as it is."""
    fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return ConsumerRecord(**fields | over)


def make_record(event: Event, offset: int = 0, **over: Any) -> ConsumerRecord:
    """As its owner's relay would have sent it; `over` replaces parts before they are signed."""
    message = _build_row(event, source=f"/{event.publisher}", trace={})
    fields = {
        "topic": event.topic,
        "partition": 0,
        "offset": offset,
        "timestamp": 0,
        "timestamp_type": 0,
        "key": message.key.encode(),
        "value": message.value,
        "checksum": None,
        "serialized_key_size": 0,
        "serialized_value_size": 0,
        "headers": tuple((name, content.encode()) for name, content in message.headers.items()),
    }
    record = ConsumerRecord(**fields | over)
    if record.key is None or record.value is None or any(h[1] is None for h in record.headers):
        return record  # no relay sends such a message
    return sign_records(event.publisher, [record])[0]


async def send_events(producer: AIOKafkaProducer, *events: Event, **over: Any) -> None:
    """Signed by their owners, one batch each; returns when the broker has them."""
    for event in events:
        record = make_record(event, **over)
        await producer.send_and_wait(
            record.topic, record.value, key=record.key, headers=list(record.headers)
        )


@asynccontextmanager
async def publishing(servers: str, *, idempotent: bool) -> AsyncIterator[AIOKafkaProducer]:
    """A producer beside the services of the test, for `send_events`."""
    producer = AIOKafkaProducer(
        bootstrap_servers=servers, enable_idempotence=idempotent, acks="all"
    )
    async with producer:
        yield producer


@contextmanager
def serving_keys() -> Iterator[Mapping[str, str]]:
    """A server of all key sets; the addresses of the services as settings have them."""
    sets = {f"/{service}{PATH}": build_key_set([key.public_key()]) for service, key in KEYS.items()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = sets.get(self.path)
            body = json.dumps(found or {}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing to say."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    try:
        yield {f"{each.short}_url": f"{base}/{name}" for name, each in SERVICES.items()}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
