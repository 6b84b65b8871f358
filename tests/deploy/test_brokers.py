"""The declared topics, and what the outage tests of others rely on."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from deploy.topics import create_topics
from shared.messaging.topics import TOPIC_TABLE
from tests.conftest import Broker


async def partitions_of(broker: Broker) -> dict[str, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.servers)
    await admin.start()
    try:
        found = await admin.describe_topics(list(TOPIC_TABLE))
        return {topic["topic"]: len(topic["partitions"]) for topic in found}
    finally:
        await admin.close()


@pytest.mark.broker
async def test_broker_has_the_declared_topics_and_making_them_again_is_fine(kafka: Broker) -> None:
    declared = {name: topic.partitions for name, topic in TOPIC_TABLE.items()}
    assert await partitions_of(kafka) == declared
    create_topics(kafka.servers)
    assert await partitions_of(kafka) == declared


@pytest.mark.broker
async def test_broker_returns_on_its_port_after_an_outage(own_kafka: Broker) -> None:
    servers = own_kafka.servers
    await asyncio.to_thread(own_kafka.stop)
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection(*servers.split(":"))
    own_kafka.start()
    assert own_kafka.servers == servers

    producer = AIOKafkaProducer(
        bootstrap_servers=servers, enable_idempotence=own_kafka.idempotent, acks="all"
    )
    async with producer:
        sent = await producer.send_and_wait("sync.events.v1.dead", b"after the outage")
    assert sent.partition == 0


def test_every_topic_has_its_dead_letters() -> None:
    names = set(TOPIC_TABLE)
    living = {name for name in names if not name.endswith(".dead")}
    assert names == living | {f"{name}.dead" for name in living}
