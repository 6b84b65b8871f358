"""What the four databases and the axis hold, read whole, and when they have come to rest."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.services import SERVICES
from shared.events import DossierEvent
from shared.messaging.topics import TOPIC_TABLE
from tests.support.mesh import Mesh

_SENT = """
    SELECT id, headers ->> 'ce_type' AS type, topic, key, position,
        coalesce(sent_at, 'infinity') AS sent_at,
        CASE WHEN topic = $1 THEN
            (convert_from(value, 'UTF8')::jsonb ->> 'version')::int END AS version
    FROM (SELECT id, topic, key, position, value, headers, NULL::timestamptz AS sent_at FROM outbox
        UNION ALL SELECT id, topic, key, position, value, headers, sent_at FROM outbox_sent)
        AS message
    WHERE topic NOT LIKE '%.dead' ORDER BY position"""
_STEPS = "SELECT dossier, version, to_status FROM dossier_step ORDER BY dossier, version"
_FEES = "SELECT dossier, reference, paid_at IS NOT NULL AS paid FROM dossier_fee"
_TIMELINE = """
    SELECT code, status, taken_at - at AS late FROM dossier_event
    WHERE source = '/dossier_service' ORDER BY code, at"""
# What a call is on record as in the end: an announcement and what was unknown are completed later.
_RECORDS = """
    WITH told AS (
        SELECT id, number, index, content ->> 'request_id' AS request_id,
            (content ->> 'status')::int AS status,
            coalesce(content ->> 'completes', id::text) AS call
        FROM access_record CROSS JOIN LATERAL
            (SELECT convert_from(record, 'UTF8')::jsonb AS content) AS read
    ), ends AS (SELECT DISTINCT ON (call) call, id FROM told ORDER BY call, number DESC, index DESC)
    SELECT request_id, status FROM told JOIN ends USING (call, id)"""
_NATIONAL = "SELECT code, source, version, source_version, status FROM national_dossier"
_DOSSIERS = "SELECT code, version, status, external_code FROM dossier"
POLL_S = 0.2


class Message(NamedTuple):
    """An event in an outbox, sent or not; `version` is that of its dossier."""

    id: Any
    type: str
    topic: str
    key: str
    position: int
    sent_at: Any
    version: int | None


@dataclass
class Evidence:
    """By code of the dossier where not said otherwise; lists keep the order of what happened."""

    dossiers: Mapping[str, asyncpg.Record]
    steps: Mapping[str, Sequence[asyncpg.Record]]
    fees: Mapping[str, Sequence[asyncpg.Record]]
    national: Mapping[str, asyncpg.Record]
    timeline: Mapping[str, Sequence[asyncpg.Record]]
    # by request id
    records: Mapping[str, Sequence[int]]
    # by service: all it ever told, all it ever heard, and how much it set aside
    sent: Mapping[str, Sequence[Message]]
    heard: Mapping[str, Collection[Any]]
    dead: Mapping[str, int]


@cache
def handled_types(service: str) -> frozenset[str]:
    module = f"{service}.handlers"
    if not find_spec(module):
        return frozenset()
    return frozenset(event.event_type for event in import_module(module).HANDLERS)


async def gather(mesh: Mesh) -> Evidence:
    async with mesh.database("dossier_service") as dossier:
        dossiers = await dossier.fetch(_DOSSIERS)
        steps = await dossier.fetch(_STEPS)
        fees = await dossier.fetch(_FEES)
    async with mesh.database("sync_service") as sync:
        national = await sync.fetch(_NATIONAL)
        timeline = await sync.fetch(_TIMELINE)
    async with mesh.database("gateway") as gateway:
        records: dict[str, list[int]] = defaultdict(list)
        for row in await gateway.fetch(_RECORDS):
            records[row["request_id"]].append(row["status"])
    sent, heard, dead = {}, {}, {}
    for service in SERVICES:
        async with mesh.database(service) as database:
            sent[service] = [
                Message(*row) for row in await database.fetch(_SENT, DossierEvent.topic)
            ]
            heard[service] = {
                row["id"] for row in await database.fetch("SELECT id FROM handled_event")
            }
            dead[service] = await database.fetchval("SELECT count(*) FROM dead_letter")
    return Evidence(
        dossiers={row["code"]: row for row in dossiers},
        steps=_by(steps, "dossier"),
        fees=_by(fees, "dossier"),
        national={row["code"]: row for row in national},
        timeline=_by(timeline, "code"),
        records=records,
        sent=sent,
        heard=heard,
        dead=dead,
    )


def _by(rows: Sequence[asyncpg.Record], name: str) -> Mapping[str, Sequence[asyncpg.Record]]:
    grouped: dict[str, list[asyncpg.Record]] = defaultdict(list)
    for row in rows:
        grouped[row[name]].append(row)
    return grouped


async def read_axis(servers: str) -> Mapping[str, Sequence[bytes]]:
    """The ids of all events that the broker holds, as often and in the order it holds them."""
    found: dict[str, list[bytes]] = {}
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        for name, topic in TOPIC_TABLE.items():
            found[name] = []
            for number in range(topic.partitions):
                found[name] += await _ids(consumer, TopicPartition(name, number))
    finally:
        await consumer.stop()
    return found


async def _ids(consumer: AIOKafkaConsumer, partition: TopicPartition) -> list[bytes]:
    consumer.assign([partition])
    (end,) = (await consumer.end_offsets([partition])).values()
    (at,) = (await consumer.beginning_offsets([partition])).values()
    consumer.seek(partition, at)
    found: list[bytes] = []
    while at < end:
        for record in (await consumer.getmany(timeout_ms=1_000)).get(partition, ()):
            found.append(dict(record.headers)["ce_id"])
            at = record.offset + 1
    return found


async def settled(mesh: Mesh, within: float) -> list[str]:
    """Waits until every outbox is empty and every inbox has all; what is missing at the end."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        try:
            waiting = await _waiting(mesh)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            waiting = [f"a database cannot be asked: {type(error).__name__}"]
        if not waiting or asyncio.get_running_loop().time() > deadline:
            return waiting
        await asyncio.sleep(POLL_S)


async def _waiting(mesh: Mesh) -> list[str]:
    told: dict[str, int] = defaultdict(int)
    heard, waiting = {}, []
    for service in SERVICES:
        async with mesh.database(service) as database:
            if unsent := await database.fetchval("SELECT count(*) FROM outbox"):
                waiting.append(f"{service}: {unsent} events wait in the outbox")
            query = "SELECT headers ->> 'ce_type' AS type, count(*) FROM outbox_sent GROUP BY 1"
            for row in await database.fetch(query):
                told[row["type"]] += row["count"]
            heard[service] = await database.fetchval("SELECT count(*) FROM handled_event")
    for service, number in heard.items():
        if lacks := sum(told[each] for each in handled_types(service)) - number:
            waiting.append(f"{service}: {lacks} events were sent and not handled")
    return waiting


async def longest_lateness(mesh: Mesh, since: datetime) -> float:
    query = """
        SELECT coalesce(max(extract(epoch FROM taken_at - at)), 0)::float FROM dossier_event
        WHERE source = '/dossier_service' AND taken_at >= $1"""
    async with mesh.database("sync_service") as sync:
        seconds: float = await sync.fetchval(query, since)
        return seconds
