"""Topics are made as the table says, or somebody is told; only an outage is waited out."""

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    BrokerResponseError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    LeaderNotAvailableError,
    MessageSizeTooLargeError,
    ProducerClosed,
    TopicAuthorizationFailedError,
)

from shared.messaging.kafka import is_broker_outage
from shared.messaging.topics import TOPIC_TABLE, _create_topics
from tests.conftest import Broker

DAY = 86_400_000


@pytest.mark.parametrize(("brokers", "copies"), [(1, 1), (2, 2), (3, 3), (5, 3)])
def test_topic_has_as_many_copies_as_there_are_brokers_up_to_three(
    brokers: int, copies: int
) -> None:
    for name, topic in TOPIC_TABLE.items():
        assert topic.to_new_topic(name, brokers).replication_factor == copies


@pytest.mark.parametrize(
    ("name", "partitions", "kept"),
    [
        ("dossier.events.v1", 6, 7 * DAY),
        ("dossier.events.v1.dead", 1, 90 * DAY),
        ("access.records.v1", 6, -1),
        ("access.records.v1.dead", 1, 90 * DAY),
        ("catalogue.events.v1", 6, -1),
    ],
)
def test_events_are_kept_a_week_and_anchors_and_the_catalogue_for_ever(
    name: str, partitions: int, kept: int
) -> None:
    wanted = TOPIC_TABLE[name].to_new_topic(name, 1)
    assert (wanted.num_partitions, wanted.topic_configs) == (
        partitions,
        {"retention.ms": str(kept)},
    )


@pytest.mark.broker
async def test_topic_that_the_broker_refuses_is_an_error_and_one_that_is_there_is_none(
    kafka: Broker,
) -> None:
    if not kafka.keeps_data:
        pytest.skip("the embedded broker takes any topic")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.servers)
    await admin.start()
    try:
        await _create_topics(admin, [NewTopic("dossier.events.v1", 6, 1)])
        with pytest.raises(BrokerResponseError, match="topic a b was not made"):
            await _create_topics(admin, [NewTopic("a b", 0, 9)])
    finally:
        await admin.close()


@pytest.mark.parametrize(
    "outage", [KafkaConnectionError, LeaderNotAvailableError, KafkaTimeoutError, TimeoutError]
)
def test_broker_that_is_away_is_waited_for(outage: type[Exception]) -> None:
    assert is_broker_outage(outage())


@pytest.mark.parametrize(
    "refusal",
    [KafkaError, MessageSizeTooLargeError, TopicAuthorizationFailedError, ProducerClosed],
)
def test_what_waiting_does_not_mend_is_not_waited_for(refusal: type[Exception]) -> None:
    assert not is_broker_outage(refusal())
