"""A message takes effect only where the owner of its topic signed it as it stands."""

from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest
from aiokafka import ConsumerRecord
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from shared.database.session import SessionFactory
from shared.events import OWNERS
from shared.messaging.event_proofs import (
    PROOF,
    EventSigner,
    EventUnprovenError,
    EventVerifier,
    SignatureWrongError,
    SignerUnknownError,
    SourceForeignError,
    TopicUnownedError,
)
from shared.runtime.operator_routes import list_dead_letters
from tests.shared.event_flow import (
    DOSSIERS,
    HANDLERS,
    SERVICE,
    agency,
    handle_records,
    progressed,
    record,
    versions_of,
)
from tests.support.event_keys import (
    KEYS,
    SIGNERS,
    VERIFIER,
    change_record,
    make_verifier,
    sign_records,
)

# Key id, signature, place and size.
SIZE_OF_FIXED = 32 + 64 + 4 + 4
NAMES = ["ce_id", "ce_type", "ce_source", "ce_time", "ce_specversion", "content-type", "ce_added"]


def batch(count: int) -> list[ConsumerRecord]:
    """Signed together, as one batch of the relay."""
    records = [record(progressed(f"H26.1-261102-{n:04}", n)) for n in range(count)]
    return sign_records(SERVICE, records)


async def is_proven(message: ConsumerRecord, verifier: EventVerifier = VERIFIER) -> bool:
    try:
        await verifier.check(message)
    except EventUnprovenError:
        return False
    return True


def proof_of(message: ConsumerRecord) -> bytes:
    return b64decode(dict(message.headers)[PROOF])


def with_proof(message: ConsumerRecord, raw: bytes) -> ConsumerRecord:
    proof = b64encode(raw)
    return with_headers(message, lambda name, content: proof if name == PROOF else content)


def with_headers(
    message: ConsumerRecord, change: Callable[[str, bytes], bytes | None]
) -> ConsumerRecord:
    changed = [(name, change(name, content)) for name, content in message.headers]
    return change_record(message, headers=[each for each in changed if each[1] is not None])


def flip(content: bytes, bit: int) -> bytes:
    at, within = divmod(bit % (8 * len(content)), 8)
    return content[:at] + bytes([content[at] ^ 1 << within]) + content[at + 1 :]


@given(st.integers(1, 40))
async def test_every_message_of_a_batch_is_proven_in_any_order(count: int) -> None:
    for message in reversed(batch(count)):
        await VERIFIER.check(message)


async def test_headers_may_arrive_in_another_order() -> None:
    (message,) = batch(1)
    await VERIFIER.check(change_record(message, headers=message.headers[::-1]))


@given(st.integers(1, 9), st.data())
async def test_message_of_which_one_bit_changed_is_unproven(
    count: int, data: st.DataObject
) -> None:
    message = data.draw(st.sampled_from(batch(count)))
    bit = data.draw(st.integers(0, 2**16))
    part = data.draw(st.sampled_from(["value", "key", *dict(message.headers)]))
    if part in {"value", "key"}:
        forged = change_record(message, **{part: flip(getattr(message, part), bit)})
    else:
        forged = with_headers(
            message, lambda n, content: flip(content, bit) if n == part else content
        )
    assert not await is_proven(forged)


@given(st.sampled_from(NAMES), st.binary(max_size=9))
async def test_message_with_an_added_or_a_second_header_is_unproven(
    name: str, content: bytes
) -> None:
    (message,) = batch(1)
    assert not await is_proven(change_record(message, headers=[*message.headers, (name, content)]))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "ce_added"])
async def test_message_without_one_of_its_headers_is_unproven(name: str) -> None:
    (message,) = batch(1)
    assert not await is_proven(with_headers(message, lambda n, c: None if n == name else c))


@pytest.mark.parametrize("topic", sorted(OWNERS))
@pytest.mark.parametrize("service", sorted(KEYS))
async def test_topic_takes_messages_of_its_owner_alone(topic: str, service: str) -> None:
    """Whichever source the message names, and whichever service signs it."""
    for source in KEYS:
        plain = change_record(record(progressed("H26.1-261102-0001")), topic=topic)
        named = [
            (name, f"/{source}".encode() if name == "ce_source" else content)
            for name, content in plain.headers
        ]
        (message,) = sign_records(service, [change_record(plain, headers=named)])
        assert await is_proven(message) == (OWNERS[topic] == service == source)


async def test_message_moved_to_another_topic_key_or_proof_is_unproven() -> None:
    first, second = batch(2)
    other = dict(second.headers)[PROOF]
    moved = {
        "topic of the same owner's": change_record(first, topic="identity.events.v1"),
        "topic of dead letters": change_record(first, topic=f"{DOSSIERS}.dead"),
        "key": change_record(first, key=second.key),
        "value": change_record(first, value=second.value),
        "proof": with_headers(first, lambda n, c: other if n == PROOF else c),
        "two proofs": change_record(first, headers=[*first.headers, (PROOF, other)]),
        "no key": change_record(first, key=None),
        "no value": change_record(first, value=None),
        "no header's value": change_record(first, headers=[*first.headers, ("a", None)]),
        "no headers": change_record(first, headers=[]),
    }
    assert [name for name, message in moved.items() if await is_proven(message)] == []


@given(st.binary(max_size=600) | st.binary(max_size=450).map(b64encode))
async def test_header_of_any_content_is_no_proof(content: bytes) -> None:
    (message,) = batch(1)
    assert not await is_proven(with_headers(message, lambda n, c: content if n == PROOF else c))


@given(st.integers(1, 12), st.data())
async def test_proof_of_which_one_bit_changed_proves_nothing(
    count: int, data: st.DataObject
) -> None:
    message = data.draw(st.sampled_from(batch(count)))
    raw = proof_of(message)
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    assert not await is_proven(with_proof(message, flip(raw, bit)))


async def test_path_of_another_place_proves_nothing() -> None:
    for message in (messages := batch(5)):
        for other in messages:
            moved = with_proof(message, proof_of(other))
            assert await is_proven(moved) == (message is other)
    raw = proof_of(messages[0])
    fixed, path = raw[:SIZE_OF_FIXED], raw[SIZE_OF_FIXED:]
    assert len(path) == 3 * 32
    for wrong in (path[:-32], path + path[:32], path[32:] + path[:32], path[:-1], b""):
        assert not await is_proven(with_proof(messages[0], fixed + wrong))


async def test_each_reason_is_told_apart() -> None:
    (message,) = batch(1)
    stranger = EventSigner(Ed25519PrivateKey.generate())
    reasons: dict[type[EventUnprovenError], ConsumerRecord] = {
        TopicUnownedError: change_record(message, topic="weather.v1"),
        SourceForeignError: record(progressed("H26.1"), headers=[("ce_source", b"/gateway")]),
        SignerUnknownError: sign_records(SERVICE, [message], stranger)[0],
        SignatureWrongError: change_record(message, value=b"{}"),
    }
    for reason, wrong in reasons.items():
        with pytest.raises(reason):
            await VERIFIER.check(wrong)


async def test_batch_costs_one_signature_check() -> None:
    verifier = make_verifier()
    for message in batch(50):
        await verifier.check(message)
    assert len(verifier._held) == 1


async def test_forged_message_is_stored_with_the_reason_counted_and_never_handled(
    sessions: SessionFactory, key: str
) -> None:
    def counted() -> float:
        value = REGISTRY.get_sample_value("events_unproven_total", {"topic": DOSSIERS})
        return value or 0.0

    before = counted()
    true = record(progressed(key, 1))
    plain = change_record(true, headers=[each for each in true.headers if each[0] != PROOF])
    forged = sign_records("gateway", [record(progressed(key, 2))])
    await handle_records(sessions, [plain, *forged, true], HANDLERS)
    assert await versions_of(sessions, key) == [1]
    async with sessions() as session:
        reasons = sorted(letter.reason for letter in await list_dead_letters(session, "open"))
    assert [reason.partition(" ")[0] for reason in reasons] == [
        "ProofMissingError",
        "SignerUnknownError",
    ]
    assert counted() == before + 2


async def test_forged_event_does_not_make_the_true_one_look_handled(
    sessions: SessionFactory, key: str
) -> None:
    """Its id may be known before: it must not reach the inbox."""
    true = record(progressed(key, 1))
    forged = change_record(true, value=progressed(key, 7).model_dump_json().encode())
    await handle_records(sessions, [forged], HANDLERS)
    await handle_records(sessions, [true], HANDLERS)
    assert await versions_of(sessions, key) == [1]


async def test_events_of_two_owners_are_proven_side_by_side() -> None:
    for message in (record(progressed("H26.1-261102-0001")), record(agency("H26.1"))):
        await VERIFIER.check(message)
    assert SIGNERS["identity_service"].kid != SIGNERS[SERVICE].kid
