"""Unproven messages cost a bounded number of rows, statements and lines, however many come."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import chain
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from httpx import AsyncClient, ConnectError, MockTransport, Request, Response
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from sqlalchemy import text
from structlog.testing import capture_logs

from shared.crypto.ed25519 import build_key_set
from shared.database.session import SessionFactory
from shared.messaging import consumer
from shared.messaging.consumer import BATCH_SIZE, consume_topics
from shared.messaging.dead_letters import Rejected
from shared.messaging.event_proofs import (
    EventSigner,
    EventUnprovenError,
    EventVerifier,
    ProofMissingError,
)
from shared.messaging.kafka import open_consumer
from shared.messaging.unproven import MAX_SAMPLE_BYTES, MAX_SAMPLES, SAMPLE_S, UnprovenSampler
from shared.runtime.operator_routes import list_dead_letters
from shared.runtime.timers import Timer, run_timer
from shared.runtime.worker import INFRASTRUCTURE_TIMERS
from shared.settings import ServiceSettings
from shared.web.calls.auth import KeySet
from tests.shared.event_flow import (
    DOSSIERS,
    HANDLERS,
    SERVICE,
    progressed,
    record,
    running,
    scalar,
    versions_of,
)
from tests.support.event_keys import KEYS, VERIFIER, change_record, sign_records
from tests.support.statements import statements
from tests.support.waiting import eventually

MANY = 3 * BATCH_SIZE

KINDS = "|".join(kind.__name__ for kind in EventUnprovenError.__subclasses__())
# Other tests leave proved messages on the topic that nobody can read.
COUNT_UNPROVEN = f"SELECT count(*) FROM dead_letter WHERE reason ~ '^({KINDS})'"


def forge(number: int, topic: str = DOSSIERS, value: bytes | None = None) -> ConsumerRecord:
    """Return a message without a proof, unlike each other one."""
    headers = [
        ("ce_id", str(uuid4()).encode()),
        ("ce_type", b"dossier.progressed.v1"),
        ("ce_source", b"/dossier_service"),
    ]
    content = b'{"n":%d}' % number if value is None else value
    plain = record(progressed("H26.1-261102-0001"))
    return change_record(plain, topic=topic, offset=number, value=content, headers=headers)


def count_unproven() -> float:
    return REGISTRY.get_sample_value("events_unproven_total", {"topic": DOSSIERS}) or 0.0


async def test_rows_statements_and_lines_do_not_grow_with_unproven_messages(
    sessions: SessionFactory, key: str
) -> None:
    """Each batch holds a true event among the forged ones, and every one of them takes effect."""
    before, sampler = count_unproven(), UnprovenSampler()
    with statements(sessions) as seen, capture_logs() as lines:
        for start in range(0, MANY, BATCH_SIZE):
            batch = [forge(number) for number in range(start, start + BATCH_SIZE - 1)]
            batch.insert(BATCH_SIZE // 2, record(progressed(key, start)))
            await consumer.handle_records(sessions, batch, HANDLERS, VERIFIER, sampler)
    assert await versions_of(sessions, key) == list(range(0, MANY, BATCH_SIZE))
    assert await scalar(sessions, "SELECT count(*) FROM dead_letter") == MAX_SAMPLES
    assert await scalar(sessions, "SELECT count(*) FROM outbox") == MAX_SAMPLES
    assert count_unproven() == before + MANY - 3
    assert sum("dead_letter" in statement for statement in seen) == 1
    assert len(seen) < 20
    told = [line for line in lines if line["event"] == "events_unproven"]
    assert [line["topics"] for line in told] == [{DOSSIERS: BATCH_SIZE - 1}] * 3
    assert [line["kept"] for line in told] == [MAX_SAMPLES, 0, 0]
    assert len([line for line in lines if line["log_level"] == "error"]) == 3


async def test_copies_of_one_unproven_message_are_one_dead_letter(
    sessions: SessionFactory,
) -> None:
    forged = forge(1)
    await consumer.handle_records(sessions, [forged] * 5, HANDLERS, VERIFIER)
    assert await scalar(sessions, "SELECT count(*) FROM dead_letter") == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.sampled_from([10, MAX_SAMPLE_BYTES // 3, MAX_SAMPLE_BYTES + 1]),
            st.sampled_from([0.0, 0.0, SAMPLE_S / 4]),
        ),
        max_size=150,
    )
)
def test_sample_of_each_topic_and_hour_is_bounded_in_messages_and_bytes(
    sent: list[tuple[str, int, float]],
) -> None:
    now = 0.0
    sampler = UnprovenSampler(lambda: now)
    kept: dict[tuple[str, float], Counter[str]] = {}
    for number, (topic, size, pause) in enumerate(sent):
        now += pause
        message = forge(number, topic, b"x" * size)
        for chosen in sampler.choose([Rejected(message, ProofMissingError())]):
            # Periods end at different times; of any two that follow each other both are bounded.
            sums = kept.setdefault((topic, now), Counter())
            sums.update(messages=1, bytes=len(chosen.record.value))
    for topic, start in kept:
        within = [
            sums
            for (other, at), sums in kept.items()
            if other == topic and start <= at < start + SAMPLE_S
        ]
        assert sum(sums["messages"] for sums in within) <= 2 * MAX_SAMPLES
        assert sum(sums["bytes"] for sums in within) <= 2 * MAX_SAMPLE_BYTES


def test_sample_begins_anew_with_each_hour() -> None:
    now = 0.0
    sampler = UnprovenSampler(lambda: now)
    forged = [Rejected(forge(number), ProofMissingError()) for number in range(2 * MAX_SAMPLES)]
    assert sampler.choose(forged) == forged[:MAX_SAMPLES]
    now = SAMPLE_S - 1
    assert sampler.choose(forged) == []
    now = SAMPLE_S
    assert sampler.choose(forged) == forged[:MAX_SAMPLES]


@pytest.mark.broker
async def test_offsets_go_on_over_unproven_messages_to_the_true_one_behind_them(
    settings: ServiceSettings, sessions: SessionFactory, producer: AIOKafkaProducer, key: str
) -> None:
    true = record(progressed(key, 1))
    for forged in [forge(number) for number in range(BATCH_SIZE)]:
        await producer.send(DOSSIERS, forged.value, key=true.key, headers=list(forged.headers))
    sent = await producer.send_and_wait(
        DOSSIERS, true.value, key=true.key, headers=list(true.headers)
    )
    place = TopicPartition(sent.topic, sent.partition)

    async def is_committed() -> bool:
        committed = await reader.committed(place) or 0
        return bool(committed > sent.offset)

    async with open_consumer(settings, [DOSSIERS], f"g-{key}") as reader:
        task = asyncio.create_task(
            consume_topics(sessions, reader, HANDLERS, VERIFIER, asyncio.Event())
        )
        await eventually(is_committed)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert await versions_of(sessions, key) == [1]
    assert await scalar(sessions, COUNT_UNPROVEN) <= 2 * MAX_SAMPLES


async def test_letters_that_nothing_proved_are_deleted_when_their_owner_cannot_send_them_again(
    sessions: SessionFactory, key: str
) -> None:
    """Poison letters, which an owner did sign, wait for an operator however old they are."""
    broken = record(progressed(key), headers=[("ce_id", b"1"), ("ce_source", b"/dossier_service")])
    unsigned = EventSigner(Ed25519PrivateKey.generate())
    old = [forge(1), *sign_records(SERVICE, [forge(2)], unsigned), broken]
    for each in old:
        await consumer.handle_records(sessions, [each], HANDLERS, VERIFIER)
    async with sessions.begin() as session:
        await session.execute(text("UPDATE dead_letter SET at = at - interval '9 days'"))
    await consumer.handle_records(sessions, [forge(3)], HANDLERS, VERIFIER)
    for timer in INFRASTRUCTURE_TIMERS:
        await run_timer(sessions, Timer(0, timer.act))
    async with sessions() as session:
        kept = await list_dead_letters(session, "open")
    assert [each.reason.split()[0] for each in kept] == ["ProofMissingError", "KeyError"]


class Owner:
    """The keys that a service publishes, over a wire that a test may cut."""

    def __init__(self) -> None:
        self.keys, self.requests, self.cut = [KEYS[SERVICE]], 0, False
        http = AsyncClient(transport=MockTransport(self._answer))
        self.verifier = EventVerifier({SERVICE: KeySet(http, "http://dossier/event-keys.json")})

    def _answer(self, _: Request) -> Response:
        self.requests += 1
        if self.cut:
            raise ConnectError("cut")
        return Response(200, json=build_key_set(key.public_key() for key in self.keys))


async def send(producer: AIOKafkaProducer, *records: ConsumerRecord) -> None:
    for each in records:
        await producer.send_and_wait(
            each.topic, each.value, key=each.key, headers=list(each.headers)
        )


@asynccontextmanager
async def consuming(
    settings: ServiceSettings, sessions: SessionFactory, owner: Owner, group: str
) -> AsyncIterator[None]:
    async with open_consumer(settings, [DOSSIERS], group) as reader:
        part = consume_topics(sessions, reader, HANDLERS, owner.verifier, asyncio.Event())
        async with running(part):
            yield


@pytest.mark.broker
async def test_key_that_was_published_before_its_event_arrived_proves_it(
    settings: ServiceSettings, sessions: SessionFactory, producer: AIOKafkaProducer, key: str
) -> None:
    """The keys were read just before, without it."""
    owner, successor = Owner(), Ed25519PrivateKey.generate()
    async with consuming(settings, sessions, owner, f"g-{key}"):
        await send(producer, record(progressed(key, 1)))
        await eventually(lambda: is_handled(sessions, key, [1]))
        owner.keys.append(successor)
        new = sign_records(SERVICE, [record(progressed(key, 2))], EventSigner(successor))
        await send(producer, *new)
        await eventually(lambda: is_handled(sessions, key, [1, 2]))
    assert await count_letters(sessions, key) == 0


async def count_letters(sessions: SessionFactory, key: str) -> int:
    """Other tests have forged messages on the same topic."""
    query = "SELECT count(*) FROM dead_letter WHERE key = :key"
    count: int = await scalar(sessions, query, key=key)
    return count


async def is_handled(sessions: SessionFactory, key: str, versions: list[int]) -> bool:
    return await versions_of(sessions, key) == versions


def generate_keys(count: int) -> list[Ed25519PrivateKey]:
    return [Ed25519PrivateKey.generate() for _ in range(count)]


@pytest.mark.broker
async def test_forged_key_ids_hold_up_nothing_and_cost_few_requests_for_keys(
    settings: ServiceSettings, sessions: SessionFactory, producer: AIOKafkaProducer, key: str
) -> None:
    """Each message names another key id; nothing waits for keys that nobody publishes."""
    owner = Owner()
    forged = [
        sign_records(
            SERVICE, [record(progressed(key, n))], EventSigner(Ed25519PrivateKey.generate())
        )
        for n in range(2, 3 * MAX_SAMPLES)
    ]
    await send(producer, *chain.from_iterable(forged), record(progressed(key, 1)))
    async with consuming(settings, sessions, owner, f"g-{key}"):
        await eventually(lambda: is_handled(sessions, key, [1]))
        assert await eventually(lambda: scalar(sessions, COUNT_UNPROVEN))
    # Equal messages, which other tests have left on the topic, are one letter.
    assert await scalar(sessions, COUNT_UNPROVEN) <= MAX_SAMPLES
    assert owner.requests < len(forged) / 2


@pytest.mark.broker
async def test_event_of_a_new_key_waits_while_its_owner_cannot_be_reached(
    settings: ServiceSettings, sessions: SessionFactory, producer: AIOKafkaProducer, key: str
) -> None:
    owner, successor = Owner(), Ed25519PrivateKey.generate()
    async with consuming(settings, sessions, owner, f"g-{key}"):
        await send(producer, record(progressed(key, 1)))
        await eventually(lambda: is_handled(sessions, key, [1]))
        owner.cut, before = True, owner.requests
        owner.keys.append(successor)
        new = sign_records(SERVICE, [record(progressed(key, 2))], EventSigner(successor))
        await send(producer, *new)
        await eventually(lambda: owner.requests > before + 1)
        assert await is_handled(sessions, key, [1])
        owner.cut = False
        await eventually(lambda: is_handled(sessions, key, [1, 2]))
    assert await count_letters(sessions, key) == 0
