"""Each event takes effect once, in order, or is set aside: whatever dies, repeats or is garbage."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.consumer import Handlers, consume, handle_records
from shared.database import SessionFactory
from shared.dead_letters import DeadLetter, list_dead_letters
from shared.events import DossierProgressed, Event
from shared.kafka import open_consumer
from shared.outbox import relay_batch
from shared.settings import ServiceSettings
from tests.conftest import Databases
from tests.shared.mechanics import (
    DOSSIERS,
    HANDLERS,
    agency,
    progressed,
    record,
    record_effect,
    scalar,
    versions_of,
)
from tests.waiting import eventually


async def set_aside(sessions: SessionFactory) -> Sequence[DeadLetter]:
    async with sessions() as session:
        return await list_dead_letters(session, "open")


async def test_repeat_takes_effect_once_within_a_batch_and_after_it(
    sessions: SessionFactory, key: str
) -> None:
    first, second = record(progressed(key, 1)), record(progressed(key, 2))
    await handle_records(sessions, [first, first, second], HANDLERS)
    await handle_records(sessions, [first, second], HANDLERS)
    assert await versions_of(sessions, key) == [1, 2]


async def test_two_deliveries_at_the_same_time_take_effect_once(
    sessions: SessionFactory, key: str
) -> None:
    records = [record(progressed(key, n)) for n in range(50)]
    await asyncio.gather(
        handle_records(sessions, records, HANDLERS),
        handle_records(sessions, records[::-1], HANDLERS),
    )
    assert sorted(await versions_of(sessions, key)) == list(range(50))
    assert not await set_aside(sessions)


async def test_handler_gets_the_events_of_a_batch_once_and_in_order(
    sessions: SessionFactory, key: str
) -> None:
    calls: list[list[int]] = []

    async def keep(_: AsyncSession, events: Sequence[DossierProgressed]) -> None:
        calls.append([event.version for event in events])

    records = [record(progressed(key, n)) for n in range(20)]
    records.insert(7, record(agency(key)))
    await handle_records(sessions, records, {DossierProgressed: [keep]})
    assert calls == [list(range(20))]


async def test_event_that_nobody_here_handles_is_passed_over(
    sessions: SessionFactory, key: str
) -> None:
    unknown = record(progressed(key), headers=[("ce_type", b"dossier.burnt.v9"), ("ce_id", b"x")])
    await handle_records(sessions, [unknown, record(agency(key))], HANDLERS)
    assert not await set_aside(sessions)


async def test_newer_build_may_add_a_field(sessions: SessionFactory, key: str) -> None:
    value = progressed(key, 4).model_dump_json()[:-1] + ', "colour": "red"}'
    await handle_records(sessions, [record(progressed(key), value=value.encode())], HANDLERS)
    assert await versions_of(sessions, key) == [4]


UNREADABLE = {
    "garbage": {"value": b"\xff\x00garbage"},
    "no content": {"value": None},
    "other shape": {"value": b'{"code": "H26", "version": "many"}'},
    "no headers": {"headers": []},
    "id is no UUID": {"headers": [("ce_type", b"dossier.progressed.v1"), ("ce_id", b"7")]},
    "type is no text": {"headers": [("ce_type", b"\xff\xfe"), ("ce_id", uuid4().bytes)]},
    "key is no text": {"key": b"\x00\xff", "value": b"{}"},
    "NUL in a header": {"headers": [("a\x00b", b"\x00")], "value": b"{}"},
    "header without a value": {"headers": [("ce_type", None)]},
    "too large to be copied": {"value": b"x" * 1_040_000},
}


@pytest.mark.parametrize("wrong", UNREADABLE.values(), ids=UNREADABLE)
async def test_unreadable_message_is_set_aside_and_the_rest_goes_on(
    sessions: SessionFactory, producer: AIOKafkaProducer, key: str, wrong: dict[str, Any]
) -> None:
    unreadable = record(progressed(key, 2), **wrong)
    await handle_records(
        sessions, [record(progressed(key, 1)), unreadable, record(progressed(key, 3))], HANDLERS
    )
    assert await versions_of(sessions, key) == [1, 3]
    (letter,) = await set_aside(sessions)
    assert letter.value == (unreadable.value or b"")
    async with asyncio.timeout(5):
        await relay_batch(sessions, producer)
    assert await scalar(sessions, "SELECT count(*) FROM outbox") == 0


async def test_failing_handler_sets_aside_only_the_event_at_fault(
    sessions: SessionFactory, key: str
) -> None:
    async def refuse_13(session: AsyncSession, events: Sequence[DossierProgressed]) -> None:
        await record_effect(session, events)
        if any(event.version == 13 for event in events):
            raise LookupError("079123456789")

    records = [record(progressed(key, n), offset=n) for n in range(20)]
    await handle_records(sessions, records, {DossierProgressed: [refuse_13]})
    assert await versions_of(sessions, key) == [n for n in range(20) if n != 13]
    (letter,) = await set_aside(sessions)
    assert (letter.offset, letter.key) == (13, key)
    assert letter.reason.startswith("LookupError in ")
    assert "079123456789" not in letter.reason


async def test_wrong_data_is_not_taken_for_an_outage(sessions: SessionFactory, key: str) -> None:
    async def pass_text_for_a_number(session: AsyncSession, _: Sequence[Any]) -> None:
        # The driver's own error, "invalid input for query argument", is an InterfaceError too.
        await session.execute(text("SELECT 1 + CAST(:number AS int)"), {"number": "many"})

    async with asyncio.timeout(5):
        await handle_records(
            sessions, [record(progressed(key))], {DossierProgressed: [pass_text_for_a_number]}
        )
    (letter,) = await set_aside(sessions)
    assert letter.key == key


@asynccontextmanager
async def consuming(
    settings: ServiceSettings, sessions: SessionFactory, handlers: Handlers, group: str
) -> AsyncIterator[AIOKafkaConsumer]:
    async with open_consumer(settings, [DOSSIERS], group) as consumer:
        task = asyncio.create_task(consume(sessions, consumer, handlers))
        try:
            yield consumer
            assert not task.done(), task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def send(producer: AIOKafkaProducer, *events: Event) -> None:
    """Straight to the axis, as another service would."""
    for event in events:
        sent = record(event)
        await producer.send_and_wait(DOSSIERS, sent.value, key=sent.key, headers=list(sent.headers))


@pytest.mark.broker
async def test_database_outage_is_waited_out(
    settings: ServiceSettings,
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    postgres: Databases,
    key: str,
) -> None:
    handling = asyncio.Event()

    async def handle(session: AsyncSession, events: Sequence[DossierProgressed]) -> None:
        if any(event.code == key for event in events):
            handling.set()
        await record_effect(session, events)

    async with consuming(settings, sessions, {DossierProgressed: [handle]}, f"g-{key}"):
        await send(producer, progressed(key, 0))
        await eventually(lambda: handled(sessions, key, [0]))
        handling.clear()
        await asyncio.to_thread(postgres.server.stop)
        try:
            await send(producer, *(progressed(key, n) for n in range(1, 10)))
        finally:
            await asyncio.to_thread(postgres.server.start)
        await eventually(lambda: handled(sessions, key, list(range(10))))
    assert not await set_aside(sessions)


async def handled(sessions: SessionFactory, key: str, versions: list[int]) -> bool:
    return await versions_of(sessions, key) == versions


@pytest.mark.broker
async def test_partition_lost_in_mid_batch_neither_stops_the_consumer_nor_repeats_effects(
    settings: ServiceSettings, sessions: SessionFactory, producer: AIOKafkaProducer, key: str
) -> None:
    keys = [f"{key}-{n}" for n in range(20)]  # of every partition
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(session: AsyncSession, events: Sequence[DossierProgressed]) -> None:
        await record_effect(session, events)
        if any(event.code in keys for event in events):
            entered.set()
            await go_on.wait()

    group = f"g-{key}"
    await send(producer, *(progressed(k, 1) for k in keys))
    async with consuming(settings, sessions, {DossierProgressed: [slow]}, group) as first:
        await asyncio.wait_for(entered.wait(), 15)
        async with consuming(settings, sessions, HANDLERS, group) as second:
            await eventually(second.assignment)
            await eventually(lambda: not first.assignment() & second.assignment())
            go_on.set()
            for k in keys:
                await eventually(partial(handled, sessions, k, [1]))
        await send(producer, *(progressed(k, 2) for k in keys))
        for k in keys:
            await eventually(partial(handled, sessions, k, [1, 2]))
    assert not await set_aside(sessions)
