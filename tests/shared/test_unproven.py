"""Unproven messages cost a bounded number of rows, statements and lines, however many come."""

import asyncio
from collections import Counter
from contextlib import suppress
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from shared import consumer
from shared.consumer import BATCH_SIZE, consume
from shared.database import SessionFactory
from shared.dead_letters import Rejected
from shared.event_proofs import ProofMissingError
from shared.kafka import open_consumer
from shared.settings import ServiceSettings
from shared.unproven import MAX_SAMPLE_BYTES, MAX_SAMPLES, SAMPLE_SECONDS, UnprovenSampler
from tests.event_keys import VERIFIER, change_record
from tests.shared.mechanics import DOSSIERS, HANDLERS, progressed, record, scalar, versions_of
from tests.statements import statements
from tests.waiting import eventually

MANY = 3 * BATCH_SIZE


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
            st.sampled_from([0.0, 0.0, SAMPLE_SECONDS / 4]),
        ),
        max_size=150,
    )
)
def test_sample_of_each_topic_and_minute_is_bounded_in_messages_and_bytes(
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
            if other == topic and start <= at < start + SAMPLE_SECONDS
        ]
        assert sum(sums["messages"] for sums in within) <= 2 * MAX_SAMPLES
        assert sum(sums["bytes"] for sums in within) <= 2 * MAX_SAMPLE_BYTES


def test_sample_begins_anew_with_each_minute() -> None:
    now = 0.0
    sampler = UnprovenSampler(lambda: now)
    forged = [Rejected(forge(number), ProofMissingError()) for number in range(2 * MAX_SAMPLES)]
    assert sampler.choose(forged) == forged[:MAX_SAMPLES]
    now = SAMPLE_SECONDS - 1
    assert sampler.choose(forged) == []
    now = SAMPLE_SECONDS
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
        task = asyncio.create_task(consume(sessions, reader, HANDLERS, VERIFIER, asyncio.Event()))
        await eventually(is_committed)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert await versions_of(sessions, key) == [1]
    # Other tests leave messages on the topic too, which nothing here has to prove.
    assert await scalar(sessions, "SELECT count(*) FROM dead_letter") <= 2 * MAX_SAMPLES
