"""Each event takes effect once, in order, or is set aside: whatever dies, repeats or is garbage."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import open_database
from shared.database.errors import is_outage
from shared.database.session import SessionFactory
from shared.events import DossierProgressed
from shared.messaging.dead_letters import DeadLetter
from shared.observability.tracing import read_trace_id
from shared.runtime.operator_routes import list_dead_letters
from shared.settings import ServiceSettings
from tests.shared.event_flow import (
    HANDLERS,
    agency,
    handle_records,
    handling,
    progressed,
    record,
    record_effect,
    relay_all,
    scalar,
    versions_of,
)
from tests.support.waiting import PATIENCE_S, eventually


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
    await handle_records(sessions, records, handling(keep))
    assert calls == [list(range(20))]


async def test_newer_build_may_add_a_field(sessions: SessionFactory, key: str) -> None:
    value = progressed(key, 4).model_dump_json()[:-1] + ', "colour": "red"}'
    await handle_records(sessions, [record(progressed(key), value=value.encode())], HANDLERS)
    assert await versions_of(sessions, key) == [4]


SOURCE = ("ce_source", b"/dossier_service")
UNREADABLE = {
    "garbage": {"value": b"\xff\x00garbage"},
    "no content": {"value": None},
    "other shape": {"value": b'{"code": "H26", "version": "many"}'},
    "no headers": {"headers": []},
    "id is no UUID": {"headers": [SOURCE, ("ce_type", b"dossier.progressed.v1"), ("ce_id", b"7")]},
    "type is no text": {"headers": [SOURCE, ("ce_type", b"\xff\xfe"), ("ce_id", uuid4().bytes)]},
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
    async with asyncio.timeout(PATIENCE_S):
        await relay_all(sessions, producer)
    assert await scalar(sessions, "SELECT count(*) FROM outbox") == 0


async def test_failing_handler_sets_aside_only_the_event_at_fault(
    sessions: SessionFactory, key: str
) -> None:
    async def refuse_13(session: AsyncSession, events: Sequence[DossierProgressed]) -> None:
        await record_effect(session, events)
        if any(event.version == 13 for event in events):
            raise LookupError("079123456789")

    records = [record(progressed(key, n), offset=n) for n in range(20)]
    await handle_records(sessions, records, handling(refuse_13))
    assert await versions_of(sessions, key) == [n for n in range(20) if n != 13]
    (letter,) = await set_aside(sessions)
    assert (letter.offset, letter.key) == (13, key)
    assert letter.reason.startswith("LookupError in ")
    assert "079123456789" not in letter.reason


async def test_wrong_data_is_not_taken_for_an_outage(sessions: SessionFactory, key: str) -> None:
    async def pass_text_for_a_number(session: AsyncSession, _: Sequence[Any]) -> None:
        # The driver's own error, "invalid input for query argument", is an InterfaceError too.
        await session.execute(text("SELECT 1 + CAST(:number AS int)"), {"number": "many"})

    async with asyncio.timeout(PATIENCE_S):
        await handle_records(sessions, [record(progressed(key))], handling(pass_text_for_a_number))
    (letter,) = await set_aside(sessions)
    assert letter.key == key


async def test_failing_message_whose_trace_has_no_value_is_set_aside(
    sessions: SessionFactory, key: str
) -> None:
    async def refuse(_: AsyncSession, __: Sequence[Any]) -> None:
        raise LookupError

    failing = record(progressed(key))
    headers = [*failing.headers, ("ce_traceparent", b"")]
    await handle_records(
        sessions,
        [record(progressed(key), value=failing.value, headers=headers)],
        handling(refuse),
    )
    assert len(await set_aside(sessions)) == 1


async def test_batch_that_takes_too_long_is_done_one_by_one(
    sessions: SessionFactory, key: str
) -> None:
    sizes: list[int] = []

    async def slow(session: AsyncSession, events: Sequence[DossierProgressed]) -> None:
        sizes.append(len(events))
        await record_effect(session, events)
        if len(events) > 1:
            await session.execute(text("SET LOCAL statement_timeout = '200ms'"))
            await session.execute(text("SELECT pg_sleep(60)"))

    records = [record(progressed(key, n), offset=n) for n in range(5)]
    async with asyncio.timeout(PATIENCE_S):
        await handle_records(sessions, records, handling(slow))
    assert sizes == [5, 1, 1, 1, 1, 1]
    assert await versions_of(sessions, key) == list(range(5))
    assert not await set_aside(sessions)


TRACES = ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", f"00-{'a' * 32}-{'b' * 16}-01"]


async def test_trace_of_an_event_is_that_of_its_effects_and_ends_with_them(
    sessions: SessionFactory, key: str
) -> None:
    seen: list[str | None] = []

    async def see(_: AsyncSession, events: Sequence[DossierProgressed]) -> None:
        seen.append(read_trace_id())
        if len(events) == 2:
            raise LookupError

    def traced(number: int) -> ConsumerRecord:
        plain = record(progressed(key, number))
        header = ("ce_traceparent", TRACES[number].encode())
        return record(progressed(key, number), headers=[*plain.headers, header])

    before = read_trace_id()
    await handle_records(sessions, [traced(0)], handling(see))
    await handle_records(sessions, [traced(0), traced(1)], handling(see))
    first, second = (trace.split("-")[1] for trace in TRACES)
    # Both together are a trace of their own; each alone goes on with the one it came with.
    assert (seen[0], *seen[2:]) == (first, first, second)
    assert seen[1] not in {None, first, second}
    assert read_trace_id() == before


async def test_message_that_always_takes_too_long_is_set_aside_and_the_rest_goes_on(
    sessions: SessionFactory, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.consumer.TRIES_ALONE", 2)

    async def handle(session: AsyncSession, events: Sequence[DossierProgressed]) -> None:
        if any(event.version == 1 for event in events):
            # The driver gives up waiting, as it does for every statement after some seconds.
            pooled = await (await session.connection()).get_raw_connection()
            driver: Any = pooled.driver_connection
            await driver.execute("SELECT pg_sleep(60)", timeout=0.2)
        await record_effect(session, events)

    records = [record(progressed(key, n), offset=n) for n in range(3)]
    await handle_records(sessions, records, handling(handle))
    assert await versions_of(sessions, key) == [0, 2]
    assert await scalar(sessions, "SELECT count(*) FROM dead_letter") == 1


async def test_transaction_of_a_process_that_stands_still_ends_and_is_an_outage(
    settings: ServiceSettings, sessions: SessionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.database.engine.IDLE_S", 1)
    async with open_database(settings) as still, still() as session:
        process = await session.scalar(text("SELECT pg_backend_pid()"))
        gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = :process"
        await eventually(lambda: scalar(sessions, gone, process=process))
        with pytest.raises(DBAPIError) as lost:
            await session.execute(text("SELECT 1"))
    assert is_outage(lost.value)
