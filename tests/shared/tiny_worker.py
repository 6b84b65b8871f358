"""A worker as a process of its own, to be ended by a signal: `tiny_worker.py`.

Where DIE names a moment and the event of DIE_AT comes, it kills itself there, once.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shared.database.engine import open_database
from shared.events import DossierProgressed
from shared.messaging.consumer import consume_topics
from shared.messaging.topics import TOPIC_TABLE
from shared.observability.logging import configure_logging
from shared.runtime.event_keys import make_event_verifier
from shared.runtime.worker import run_worker
from shared.settings import ServiceSettings
from shared.web.http_client import open_client
from tests.shared.event_flow import DOSSIERS, handling, record_effect


class Settings(ServiceSettings):
    name: str = os.environ["WORKER"]


def die_once() -> None:
    marker = Path(os.environ["DIED"])
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)


async def handle(session: AsyncSession, events: Sequence[DossierProgressed]) -> None:
    await record_effect(session, events)
    if any(one.version == int(os.environ.get("DIE_AT", "-1")) for one in events):
        if os.environ["DIE"] == "before commit":
            die_once()
        event.listen(session.sync_session, "after_commit", _after_commit)


async def handle_slowly(session: AsyncSession, events: Sequence[DossierProgressed]) -> None:
    await record_effect(session, events)
    await session.execute(text("SELECT pg_sleep(2)"))


def _after_commit(_: Session) -> None:
    die_once()


async def consume_alone(settings: ServiceSettings) -> None:
    """All partitions without a group's rounds of joining, which outlast a killed member by 10 s."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_servers,
        group_id=settings.name,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=settings.kafka_fetch_wait_ms,
    )
    async with open_client() as http, open_database(settings) as sessions, consumer:
        numbers = range(TOPIC_TABLE[DOSSIERS].partitions)
        consumer.assign([TopicPartition(DOSSIERS, number) for number in numbers])
        verifier = make_event_verifier(settings, http, [DOSSIERS])
        handlers = handling(handle)
        await consume_topics(sessions, consumer, handlers, verifier, asyncio.Event())


def main() -> None:
    settings = Settings.read()
    configure_logging(settings)
    match os.environ["ROLE"]:
        case "relay":
            asyncio.run(run_worker(settings))
        case "slow":
            asyncio.run(run_worker(settings, handlers=handling(handle_slowly)))
        case "catch up":
            asyncio.run(run_worker(settings, handlers=handling(handle), catch_up=True))
        case "consume":
            asyncio.run(consume_alone(settings))


if __name__ == "__main__":
    main()
