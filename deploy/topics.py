"""Makes the topics of topics.yaml: `python -m deploy.topics SERVERS`."""

import sys
from pathlib import Path

import stamina
import yaml
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaConnectionError,
    NodeNotReadyError,
    TopicAlreadyExistsError,
    for_code,
)
from pydantic import BaseModel, ConfigDict, PositiveInt

from deploy.apart import run_apart

FILE = Path(__file__).with_name("topics.yaml")
REPLICAS = 3
DAY_MILLISECONDS = 24 * 60 * 60 * 1000


class Topic(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    partitions: PositiveInt
    retention_days: PositiveInt


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    topics: dict[str, Topic]


def declared_topics() -> dict[str, Topic]:
    return _File.model_validate(yaml.safe_load(FILE.read_text())).topics


def create_topics(servers: str, seconds: float = 30.0) -> None:
    """Waits up to `seconds` for the brokers to answer; topics that exist stay as they are."""
    run_apart(_create(servers, seconds))


async def _create(servers: str, seconds: float) -> None:
    admin = await _connect(servers, seconds)
    try:
        brokers = (await admin.describe_cluster())["brokers"]
        wanted = [
            NewTopic(
                name,
                topic.partitions,
                min(REPLICAS, len(brokers)),
                topic_configs={"retention.ms": str(topic.retention_days * DAY_MILLISECONDS)},
            )
            for name, topic in declared_topics().items()
        ]
        for name, code, *message in (await admin.create_topics(wanted)).topic_errors:
            if for_code(code) not in (for_code(0), TopicAlreadyExistsError):
                raise RuntimeError(
                    f"topic {name} was not made: {for_code(code).__name__} {message}"
                )
    finally:
        await admin.close()


async def _connect(servers: str, seconds: float) -> AIOKafkaAdminClient:
    unanswered = (KafkaConnectionError, NodeNotReadyError)
    async for attempt in stamina.retry_context(
        on=unanswered, attempts=None, timeout=seconds, wait_initial=0.05, wait_max=0.5
    ):
        with attempt:
            admin = AIOKafkaAdminClient(bootstrap_servers=servers)
            try:
                await admin.start()
            except unanswered:
                await admin.close()
                raise
            return admin
    raise AssertionError("the last attempt raises")


if __name__ == "__main__":
    create_topics(sys.argv[1])
