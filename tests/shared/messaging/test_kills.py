"""Processes that die without a word, at any moment: nothing is lost, nothing happens twice."""

import asyncio
import random
import signal
from functools import partial

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import text

from deploy.ports import free_port
from shared.database.session import SessionFactory
from shared.settings import ServiceSettings
from tests.conftest import Broker
from tests.shared.event_flow import (
    HANDLERS,
    Start,
    Tail,
    announce,
    count_letters,
    handle_records,
    progressed,
    relay_all,
    scalar,
    tailing,
)
from tests.support.waiting import PATIENCE_S, eventually


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
    await relay_all(sessions, producer)
    doomed = start("consume", DIE=moment, DIE_AT="25")
    assert await asyncio.to_thread(doomed.wait, PATIENCE_S) == -signal.SIGKILL
    start("consume")

    whole = {k: list(range(50)) for k in keys}
    await eventually(lambda: all_effects(sessions, whole))
    assert await count_letters(sessions, keys) == 0


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
        await eventually(partial(fewer, sessions, waiting))
        await asyncio.sleep(chance.uniform(0, 0.05))
        relay.kill()
        await asyncio.to_thread(relay.wait)
    start("relay")
    await eventually(lambda: settled(sessions))
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


@pytest.mark.broker
async def test_killed_worker_that_comes_back_goes_on_where_it_was(
    start: Start, sessions: SessionFactory, producer: AIOKafkaProducer, kafka: Broker, key: str
) -> None:
    # Without a group the embedded broker; in Kafka's group it has the place of the killed one.
    known_as = {"WORKER_PORT": str(free_port()), "KAFKA_GROUP": str(kafka.keeps_data)}
    await announce(sessions, progressed(key, 0))
    await relay_all(sessions, producer)
    first = start("catch up", **known_as)
    await eventually(lambda: all_effects(sessions, {key: [0]}))
    first.kill()
    await asyncio.to_thread(first.wait)
    await announce(sessions, progressed(key, 1))
    await relay_all(sessions, producer)
    start("catch up", **known_as)
    await eventually(lambda: all_effects(sessions, {key: [0, 1]}))


@pytest.mark.broker
async def test_worker_that_stood_still_goes_on_by_itself_with_each_effect_once(
    start: Start, sessions: SessionFactory, kafka: Broker, key: str
) -> None:
    """Whatever it held meanwhile, another one does its work."""
    keys = [f"{key}-{n}" for n in range(6)]
    alone = {"KAFKA_GROUP": str(kafka.keeps_data)}
    stopped = start("catch up", WORKER_PORT=str(free_port()), **alone)
    await announce(sessions, *(progressed(k, 0) for k in keys))
    await eventually(lambda: all_effects(sessions, {k: [0] for k in keys}))
    stopped.send_signal(signal.SIGSTOP)
    other = start("catch up", WORKER_PORT=str(free_port()), **alone)
    await announce(sessions, *(progressed(k, n) for n in range(1, 20) for k in keys))
    await eventually(lambda: all_effects(sessions, {k: list(range(20)) for k in keys}))
    stopped.send_signal(signal.SIGCONT)
    await announce(sessions, *(progressed(k, n) for n in range(20, 40) for k in keys))
    await eventually(lambda: all_effects(sessions, {k: list(range(40)) for k in keys}))
    other.kill()
    await asyncio.to_thread(other.wait)
    await announce(sessions, *(progressed(k, n) for n in range(40, 50) for k in keys))
    await eventually(lambda: all_effects(sessions, {k: list(range(50)) for k in keys}))
    assert stopped.poll() is None
    assert await count_letters(sessions, keys) == 0
