"""Stores that stand apart, where somebody has to bring back what ended or gave up."""

import asyncio

from deploy.kafka.server import KafkaServer
from deploy.postgres import EmbeddedPostgres
from tests.faults.fault import Site
from tests.faults.injections.disk import keep_full

AXIS_AWAY_S = 30.0
DATABASE_AWAY_S = 10.0


async def stop_axis(site: Site) -> None:
    """For longer than any session lasts; it keeps its messages."""
    assert site.axis
    await _keep_away(site.axis, AXIS_AWAY_S)


async def stop_database(site: Site) -> None:
    """In order, as for an upgrade; started again later."""
    assert site.database
    await _keep_away(site.database, DATABASE_AWAY_S)


async def _keep_away(store: KafkaServer | EmbeddedPostgres, seconds: float) -> None:
    await asyncio.to_thread(store.stop)
    try:
        await asyncio.sleep(seconds)
    finally:
        await asyncio.to_thread(store.start)


async def fill_disk_of_axis(site: Site) -> None:
    """Kafka gives up where it cannot write; an operator frees the disk and starts it again."""
    assert site.axis
    await keep_full(site.axis.directory)
    if not site.axis.child.is_running:
        site.notes.append("it had ended, and was started again")
        await asyncio.to_thread(site.axis.start)
