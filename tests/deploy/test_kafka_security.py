"""Apache Kafka as docker-compose.yml sets it up: each service has its own rights and no others."""

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from pydantic import SecretStr

from deploy.acls import Operation, Permission, Resource, list_permissions
from deploy.services import SERVICES
from shared.events import DEAD, OWNERS
from shared.messaging.kafka import connection_options, open_consumer, open_producer
from shared.messaging.topics import TOPIC_TABLE
from shared.settings import ServiceSettings
from tests.deploy.secured import Secured, running_secured
from tests.support.waiting import PATIENCE_S


def test_each_topic_is_published_by_its_owner_and_its_dead_letters_by_its_readers() -> None:
    writers = {topic: set[str]() for topic in TOPIC_TABLE}
    for each in list_permissions():
        if (each.resource, each.operation) == (Resource.TOPIC, Operation.WRITE):
            writers[each.name].add(each.service)
    for topic, owner in OWNERS.items():
        assert writers[topic] == {owner}
    handled = {each.name for each in list_permissions() if each.operation is Operation.READ}
    assert {topic for topic in OWNERS if writers[topic + DEAD]} <= handled


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with running_secured(tmp_path_factory) as found:
        yield found


async def may_publish(producer: AIOKafkaProducer, topic: str) -> bool:
    try:
        await producer.send_and_wait(topic, b"{}", key=b"k")
    except TopicAuthorizationFailedError:
        return False
    return True


@pytest.mark.broker
@pytest.mark.parametrize("service", SERVICES)
async def test_service_publishes_to_its_own_topics_alone(secured: Secured, service: str) -> None:
    allowed = {
        each.name
        for each in list_permissions()
        if each.service == service and each.operation is Operation.WRITE
    }
    found = set()
    for topic in TOPIC_TABLE:
        # A producer that was refused once goes on asking for that topic.
        async with open_producer(secured.settings(service)) as producer:
            if await may_publish(producer, topic):
                found.add(topic)
    assert found == allowed


@asynccontextmanager
async def consuming(
    settings: ServiceSettings, topic: str, group: str
) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        topic, **connection_options(settings), group_id=group, auto_offset_reset="earliest"
    )
    try:
        # One that is refused here is open all the same.
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def may_read(settings: ServiceSettings, topic: str, group: str) -> bool:
    try:
        async with consuming(settings, topic, group) as consumer:
            await consumer.getmany(timeout_ms=500)
    except (TopicAuthorizationFailedError, GroupAuthorizationFailedError):
        return False
    return True


@pytest.mark.broker
async def test_service_reads_what_it_handles_in_its_own_group_alone(secured: Secured) -> None:
    settings = secured.settings("dossier_service")
    assert await may_read(settings, "identity.events.v1", "dossier_service")
    assert not await may_read(settings, "identity.events.v1", "gateway")
    assert not await may_read(settings, "dossier.events.v1", "dossier_service")
    expected = Permission("dossier_service", Operation.READ, Resource.TOPIC, "identity.events.v1")
    assert expected in list_permissions()


@pytest.mark.broker
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_event_goes_from_one_service_to_another(secured: Secured, mechanism: str) -> None:
    topic, key = "dossier.events.v1", mechanism.encode()
    async with open_producer(secured.settings("dossier_service", mechanism)) as producer:
        await producer.send_and_wait(topic, b"{}", key=key)
    reader = secured.settings("sync_service", mechanism)
    async with (
        asyncio.timeout(PATIENCE_S),
        open_consumer(reader, [topic], "sync_service") as consumer,
    ):
        keys = set[bytes]()
        while key not in keys:
            for records in (await consumer.getmany(timeout_ms=250)).values():
                keys |= {record.key for record in records}


@pytest.mark.broker
@pytest.mark.parametrize(
    "over",
    [
        {"kafka_password": SecretStr("wrong")},
        {"kafka_user": "nobody"},
        {"kafka_user": "admin"},
        {"kafka_security_protocol": "PLAINTEXT"},
    ],
)
async def test_who_does_not_prove_a_principal_gets_nowhere(
    secured: Secured, over: dict[str, Any]
) -> None:
    settings = secured.settings("dossier_service", **over)
    producer = AIOKafkaProducer(**connection_options(settings), request_timeout_ms=2_000)
    with pytest.raises((KafkaConnectionError, KafkaError)):
        await producer.start()
    await producer.stop()
    with warnings.catch_warnings():
        # The library leaves a connection open on which it could not sign on.
        warnings.simplefilter("ignore", ResourceWarning)
        del producer
        gc.collect()
