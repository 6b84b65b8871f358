"""The table of all topics, with their partitions and retention, and the creation of topics."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.events import DEAD, TOPICS, LedgerAnchored, ProcedurePublished
from shared.messaging.kafka import (
    REQUEST_TIMEOUT_MS,
    connection_options,
    retry_during_broker_outage,
)
from shared.settings import ServiceSettings

log = structlog.get_logger()

REPLICAS = 3
DAY_MS = 24 * 60 * 60 * 1000
FOR_EVER = -1


@dataclass(frozen=True)
class Topic:
    """The properties of a topic; without `retention_days` messages are kept for ever."""

    partitions: int
    retention_days: int | None

    def to_new_topic(self, name: str, brokers: int) -> NewTopic:
        days = self.retention_days
        retention_ms = FOR_EVER if days is None else days * DAY_MS
        return NewTopic(
            name,
            self.partitions,
            min(REPLICAS, brokers),
            topic_configs={"retention.ms": str(retention_ms)},
        )


# Keys are dossier codes or keyed hashes. More partitions later would separate old and new events of
# a key.
_EVENTS = Topic(partitions=6, retention_days=7)
# A check of the ledger needs every anchor since its beginning, from outside its database; a new
# consumer of the catalogue needs each procedure, however long ago it was published.
_UNLIMITED = Topic(partitions=6, retention_days=None)
_UNLIMITED_TOPICS = frozenset({LedgerAnchored.topic, ProcedurePublished.topic})
# Copies of dead letters, until an operator has read them.
_DEAD = Topic(partitions=1, retention_days=90)

TOPIC_TABLE: Mapping[str, Topic] = MappingProxyType(
    {name: _UNLIMITED if name in _UNLIMITED_TOPICS else _EVENTS for name in sorted(TOPICS)}
    | {name + DEAD: _DEAD for name in sorted(TOPICS)}
)


def list_partitions(topics: Iterable[str]) -> list[TopicPartition]:
    return [
        TopicPartition(name, number)
        for name in sorted(topics)
        for number in range(TOPIC_TABLE[name].partitions)
    ]


async def make_topics(options: Mapping[str, Any]) -> None:
    """Create the missing topics and leave the others as they are; raise KafkaError on a refusal.

    `options` are those of `shared.messaging.kafka.connection_options`.
    """
    admin = AIOKafkaAdminClient(**options, request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        if missing := sorted(set(TOPIC_TABLE) - set(await admin.list_topics())):
            brokers = len((await admin.describe_cluster())["brokers"])
            await _create_topics(
                admin, [TOPIC_TABLE[name].to_new_topic(name, brokers) for name in missing]
            )
            log.info("topics_created", topics=missing)
    finally:
        await admin.close()


async def _create_topics(admin: AIOKafkaAdminClient, topics: list[NewTopic]) -> None:
    for name, code, *_ in (await admin.create_topics(topics)).topic_errors:
        refusal = for_code(code)
        # Another worker may have created it between the two requests.
        if code and refusal is not TopicAlreadyExistsError:
            raise refusal(f"topic {name} was not made")


@retry_during_broker_outage
async def ensure_topics(settings: ServiceSettings) -> None:
    """Create the missing topics, unless the settings leave that to the operators."""
    if settings.kafka_creates_topics:
        await make_topics(connection_options(settings))
