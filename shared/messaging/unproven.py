"""Keep a sample of the messages without a valid proof, and count the others.

Any process that reaches the broker can send such messages in any number. Rows, log lines and
transactions must therefore not grow with their number, or they would delay the messages behind
them.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.bulk import delete_in_slices
from shared.messaging.dead_letters import DeadLetter, Rejected
from shared.messaging.event_proofs import EventUnprovenError
from shared.messaging.kafka import MAX_MESSAGE_BYTES
from shared.observability.metrics import EVENTS_UNPROVEN

log = structlog.get_logger()

# Limits for each topic and period in each worker. A sample stays in the table, the outbox and the
# topic `.dead` for days: a shorter period would let a flood fill them.
MAX_SAMPLES = 20
MAX_SAMPLE_BYTES = 2 * MAX_MESSAGE_BYTES
SAMPLE_S = 3_600.0
# A day longer than its owner can send an event again.
RETENTION_DAYS = 8


class UnprovenSampler:
    """Choose the unproven messages that become dead letters: the first of each topic and hour."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends = clock() + SAMPLE_S
        self._samples: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    def choose(self, unproven: Sequence[Rejected]) -> list[Rejected]:
        """Return the messages to keep; count all of them and log the batch in one line."""
        if not unproven:
            return []
        if (now := self._clock()) >= self._ends:
            self._ends = now + SAMPLE_S
            self._samples.clear()
            self._bytes.clear()
        sampled = [message for message in unproven if self._has_room(message)]
        topics = Counter(message.record.topic for message in unproven)
        for topic, count in topics.items():
            EVENTS_UNPROVEN.labels(topic).inc(count)
        reasons = Counter(type(message.error).__name__ for message in unproven)
        log.error("events_unproven", topics=dict(topics), reasons=dict(reasons), kept=len(sampled))
        return sampled

    def _has_room(self, rejected: Rejected) -> bool:
        topic, size = rejected.record.topic, _count_bytes(rejected)
        if self._samples[topic] >= MAX_SAMPLES or self._bytes[topic] + size > MAX_SAMPLE_BYTES:
            return False
        self._samples[topic] += 1
        self._bytes[topic] += size
        return True


async def delete_unproven_letters(session: AsyncSession) -> None:
    """Delete the dead letters that nothing proved for as long as an owner can send events again."""
    kinds = ", ".join(f"'{kind.__name__}'" for kind in EventUnprovenError.__subclasses__())
    await delete_in_slices(
        session,
        DeadLetter,
        f"split_part(reason, ' ', 1) IN ({kinds}) AND at < now() - interval '{RETENTION_DAYS} days'"
        " AND state <> 'replaying'",
    )


def _count_bytes(rejected: Rejected) -> int:
    record = rejected.record
    parts = [record.key, record.value, *(content for _, content in record.headers)]
    names = sum(len(name.encode()) for name, _ in record.headers)
    return names + sum(len(part or b"") for part in parts)
