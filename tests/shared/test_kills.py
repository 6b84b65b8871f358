"""Processes that die without a word, at any moment: nothing is lost, nothing happens twice."""

import asyncio
import random
import signal
from functools import partial

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import text

from shared.consumer import handle_records
from shared.database import SessionFactory
from shared.outbox import relay_batch
from shared.settings import ServiceSettings
from tests.conftest import Broker
from tests.shared.mechanics import HANDLERS, Start, Tail, announce, progressed, scalar, tailing
from tests.waiting import eventually


async def effects(sessions: SessionFactory, keys: list[str]) -> dict[str, list[int]]:
    async with sessions() as session:
        query = text("SELECT key, array_agg(version ORDER BY at) FROM effect GROUP BY key")
        found = {row[0]: row[1] for row in (await session.execute(query)).all()}
    return {key: found.get(key, []) for key in keys}


@pytest.mark.broker
@pytest.mark.parametrize("moment", ["before commit", "after commit"])
async def test_consumer_killed_around_its_commit_has_each_effect_once(
    start: Start,
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    key: str,
    moment: str,
) -> None:
    keys = [f"{key}-{n}" for n in range(12)]
    await announce(sessions, *(progressed(k, n) for n in range(50) for k in keys))
    await relay_batch(sessions, producer)
    doomed = start("consume", DIE=moment, DIE_AT="25")
    assert await asyncio.to_thread(doomed.wait, 30) == -signal.SIGKILL
    start("consume")

    whole = {k: list(range(50)) for k in keys}
    await eventually(lambda: all_effects(sessions, whole), within=30)
    assert await scalar(sessions, "SELECT count(*) FROM dead_letter") == 0


async def all_effects(sessions: SessionFactory, expected: dict[str, list[int]]) -> bool:
    return await effects(sessions, list(expected)) == expected


async def settled(sessions: SessionFactory) -> bool:
    return bool(await scalar(sessions, "SELECT count(*) = 0 FROM outbox"))


@pytest.mark.broker
async def test_relay_killed_at_random_moments_loses_and_reorders_nothing(
    start: Start, sessions: SessionFactory, settings: ServiceSettings, kafka: Broker, key: str
) -> None:
    chance = random.Random(766)
    keys, rounds, each = [f"{key}-{n}" for n in range(8)], 3, 250
    for number in range(rounds):
        first = number * each
        for k in keys:
            await announce(sessions, *(progressed(k, first + n) for n in range(each)))
        relay = start("relay")
        waiting = await scalar(sessions, "SELECT count(*) FROM outbox")
        await eventually(partial(fewer, sessions, waiting), within=30)
        await asyncio.sleep(chance.uniform(0, 0.05))
        relay.kill()
        await asyncio.to_thread(relay.wait)
    start("relay")
    await eventually(lambda: settled(sessions), within=30)
    count = rounds * each
    async with tailing(settings) as tail:
        await eventually(lambda: all_arrived(tail, keys, count))
        records = [record for k in keys for record in await tail.of(k)]
    await handle_records(sessions, records, HANDLERS)
    assert await effects(sessions, keys) == {k: list(range(count)) for k in keys}


async def fewer(sessions: SessionFactory, than: int) -> bool:
    return bool(await scalar(sessions, "SELECT count(*) < :than FROM outbox", than=than))


async def all_arrived(tail: Tail, keys: list[str], count: int) -> bool:
    """Every event at least once; the repeats of what was killed unacknowledged come on top."""
    return all([len(set(await tail.versions(k))) == count for k in keys])
