"""The time from the writing of a filing's event, just before the commit, until others see it.

Both ends are upper bounds: the broker's when a consumer of its own has read the event, the national
view's when a query every few milliseconds has found the row.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.bench.figures import Figure
from deploy.bench.load import LoadResult, at_rate
from deploy.bench.load_results import latencies, sender
from deploy.bench.mesh import Mesh
from shared.codes.time import unix_now
from shared.events import DossierFiled

RATE, CONNECTIONS, SECONDS, ROUNDS = 150.0, 64, 30.0, 3
LOOK_S, MAX_WAIT_S = 0.005, 10.0


@dataclass
class SeenChanges:
    """Unix seconds by dossier: its event written, read from the broker, visible in the view."""

    written: dict[str, float] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)
    shown: dict[str, float] = field(default_factory=dict)

    def since_written(self, instants: dict[str, float], duration: float) -> LoadResult:
        outcome = LoadResult(duration)
        for code, at in instants.items():
            if code in self.written:
                outcome.planned.append(self.written[code])
                outcome.seconds.append(at - self.written[code])
        return outcome


async def measure(mesh: Mesh) -> list[Figure]:
    seen, seconds = SeenChanges(), mesh.seconds(SECONDS)
    async with _watching(mesh, seen):
        load = await at_rate(
            mesh.address,
            mesh.filings(),
            rate=RATE,
            connections=CONNECTIONS,
            seconds=seconds,
            # All of them count: the last ones are waited for by their number.
            warm_up=0,
        )
        count = len(load.require_success().seconds)
        async with asyncio.timeout(MAX_WAIT_S + seconds):
            while len(seen.heard) < count or seen.written.keys() - seen.shown.keys():  # noqa: ASYNC110 -- the state is in other processes
                await asyncio.sleep(LOOK_S)
    heard = seen.since_written(seen.heard, seconds).windows(ROUNDS)
    shown = seen.since_written(seen.shown, seconds).windows(ROUNDS)
    name = f"at {RATE:.0f} filings/s"
    return [
        *latencies(f"{name}: commit → broker", heard),
        *latencies(f"{name}: commit → national view", shown, p95=300, p99=1000),
        *latencies(f"{name}: the filing itself", load.windows(ROUNDS)),
        sender(name, [load]),
    ]


@asynccontextmanager
async def _watching(mesh: Mesh, seen: SeenChanges) -> AsyncIterator[None]:
    consumer = await _consumer_from_now(mesh)
    async with mesh.database("sync_service") as connection:
        watching = [
            asyncio.create_task(_consume_events(consumer, seen)),
            asyncio.create_task(_poll_view(connection, seen)),
        ]
        try:
            yield
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            await consumer.stop()


async def _consumer_from_now(mesh: Mesh) -> AIOKafkaConsumer:
    consumer = AIOKafkaConsumer(bootstrap_servers=mesh.stack.servers, fetch_max_wait_ms=5)
    await consumer.start()
    numbers = await _list_partitions(consumer)
    partitions = [TopicPartition(DossierFiled.topic, number) for number in numbers]
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    for partition, end in ends.items():
        consumer.seek(partition, end)
    return consumer


async def _list_partitions(consumer: AIOKafkaConsumer) -> list[int]:
    await consumer.topics()
    return sorted(consumer.partitions_for_topic(DossierFiled.topic) or ())


async def _consume_events(consumer: AIOKafkaConsumer, seen: SeenChanges) -> None:
    async for record in consumer:
        headers = dict(record.headers)
        code = record.key.decode()
        seen.heard[code] = unix_now()
        seen.written[code] = datetime.fromisoformat(headers["ce_time"].decode()).timestamp()


async def _poll_view(connection: asyncpg.Connection, seen: SeenChanges) -> None:
    newest = await connection.fetchval(
        "SELECT coalesce(max(opened_at), now()) FROM national_dossier"
    )
    while True:
        rows = await connection.fetch(
            "SELECT code, opened_at FROM national_dossier"
            " WHERE opened_at > $1::timestamptz - interval '2 seconds' AND NOT code = ANY($2)",
            newest,
            list(seen.shown)[-int(RATE) * 4 :],
        )
        now = unix_now()
        for row in rows:
            seen.shown.setdefault(row["code"], now)
            newest = max(newest, row["opened_at"])
        await asyncio.sleep(LOOK_S)
