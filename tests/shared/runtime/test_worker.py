"""A worker is ready when it can work, and ends when it is told to."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from deploy.ports import free_port
from shared.database.session import SessionFactory
from shared.runtime.app import Check, build_status_routes
from shared.runtime.timers import Timer, pass_now, run_timer
from shared.settings import ServiceSettings
from tests.conftest import Broker, Databases
from tests.shared.event_flow import (
    DOSSIERS,
    Start,
    Tail,
    announce,
    progressed,
    relay_all,
    scalar,
    tailing,
)
from tests.support.waiting import PATIENCE_S, eventually

ENDS_WITHIN = PATIENCE_S


@pytest.fixture
def port() -> int:
    return free_port()


def readiness(port: int) -> Callable[[], Awaitable[tuple[int, dict[str, str]]]]:
    async def ask() -> tuple[int, dict[str, str]]:
        try:
            async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
                answer = await client.get(f"http://127.0.0.1:{port}/readyz")
        except httpx.HTTPError as error:
            raise AssertionError(type(error).__name__) from error
        return answer.status_code, answer.json()["checks"]

    return ask


async def becomes(port: int, status: int, **checks: str) -> None:
    ask = readiness(port)

    async def is_so() -> bool:
        found, outcomes = await ask()
        assert found == status, outcomes
        return all((outcomes.get(name) == "ok") == (is_ == "ok") for name, is_ in checks.items())

    await eventually(is_so)


@pytest.mark.broker
async def test_worker_is_ready_only_while_database_and_broker_answer(
    start: Start, postgres: Databases, kafka: Broker, port: int
) -> None:
    start("relay", WORKER_PORT=str(port))
    await becomes(port, 200, database="ok", broker="ok")
    await asyncio.to_thread(kafka.stop)
    try:
        await becomes(port, 503, database="ok", broker="away")
    finally:
        await asyncio.to_thread(kafka.start)
    await becomes(port, 200, broker="ok")
    await asyncio.to_thread(postgres.server.stop)
    try:
        await becomes(port, 503, database="away", broker="ok")
    finally:
        await asyncio.to_thread(postgres.server.start)
    await becomes(port, 200, database="ok")


@pytest.mark.broker
async def test_told_to_end_a_worker_ends_well_and_soon(
    start: Start, sessions: SessionFactory, port: int, key: str
) -> None:
    worker = start("relay", WORKER_PORT=str(port))
    await becomes(port, 200)
    await announce(sessions, *(progressed(key, n) for n in range(3_000)))
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, ENDS_WITHIN) == 0
    query = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM outbox_sent)"
    assert await scalar(sessions, query) == 3_000


@pytest.mark.broker
async def test_told_to_end_a_worker_commits_the_batch_under_way(
    start: Start, sessions: SessionFactory, producer: AIOKafkaProducer, port: int, key: str
) -> None:
    await announce(sessions, progressed(key))
    await relay_all(sessions, producer)
    worker = start("slow", WORKER_PORT=str(port))
    under_way = """SELECT count(*) > 0 FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep%'"""
    await eventually(lambda: scalar(sessions, under_way))
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, ENDS_WITHIN) == 0
    assert await scalar(sessions, "SELECT count(*) > 0 FROM handled_event")


@pytest.mark.broker
async def test_worker_has_caught_up_where_retention_took_all_messages(
    start: Start, own_kafka: Broker, port: int, key: str
) -> None:
    if not own_kafka.keeps_data:
        pytest.skip("the embedded broker takes no DeleteRecords")
    servers = own_kafka.servers
    partition = TopicPartition(DOSSIERS, 0)
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        sent = await producer.send_and_wait(DOSSIERS, b"{}", partition=0)
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.delete_records({partition: RecordsToDelete(before_offset=sent.offset + 1)})
    finally:
        await admin.close()
    async with AIOKafkaConsumer(bootstrap_servers=servers) as consumer:
        begins = await consumer.beginning_offsets([partition])
        assert begins == await consumer.end_offsets([partition]) == {partition: sent.offset + 1}
    start("catch up", WORKER_PORT=str(port), KAFKA_SERVERS=servers)
    await becomes(port, 200, broker="ok")


@pytest.mark.broker
async def test_worker_sends_what_is_new_while_it_still_sends_again_what_was_sent(
    start: Start,
    settings: ServiceSettings,
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    key: str,
) -> None:
    port = free_port()
    await announce(sessions, progressed(key, 1))
    await relay_all(sessions, producer)
    async with tailing(settings) as tail:

        async def came(versions: list[int]) -> bool:
            return await tail.versions(key) == versions

        async with sessions.begin() as session:
            await session.execute(text("LOCK TABLE outbox_sent"))
            start("relay", WORKER_PORT=str(port), REPLAY_AT_START="true")
            await becomes(port, 200)
            await announce(sessions, progressed(key, 2))
            await eventually(lambda: came([1, 2]))
        await eventually(lambda: came_again(tail, key))


async def came_again(tail: Tail, key: str) -> bool:
    return (await tail.versions(key)).count(1) == 2


async def test_worker_that_still_waits_for_the_broker_is_alive_and_ends_well(
    start: Start, port: int
) -> None:
    worker = start("relay", WORKER_PORT=str(port), KAFKA_SERVERS=f"127.0.0.1:{free_port()}")
    await becomes(port, 503, database="ok", started="not yet")
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, ENDS_WITHIN) == 0


async def test_check_that_goes_while_others_are_asked_is_no_error() -> None:
    checks: dict[str, Check] = {}

    async def caught_up() -> None:
        checks.pop("caught_up")

    checks |= {"caught_up": caught_up}
    app = FastAPI()
    app.include_router(build_status_routes())
    app.state.checks = checks
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
        assert (await client.get("/readyz")).json()["checks"] == {"caught_up": "ok"}
    assert not checks


async def tick(session: AsyncSession) -> None:
    await session.execute(text("INSERT INTO effect (key, version) VALUES ('tick', 1)"))


async def ticks(sessions: SessionFactory) -> int:
    count: int = await scalar(sessions, "SELECT count(*) FROM effect")
    return count


async def test_timer_is_acted_on_by_one_replica_each_time_it_is_due(
    sessions: SessionFactory,
) -> None:
    for due in (1, 2):
        await asyncio.gather(*(run_timer(sessions, Timer(60, tick)) for _ in range(5)))
        assert await ticks(sessions) == due
        async with sessions.begin() as session:
            await session.execute(text("UPDATE timer SET at = at - interval '61 seconds'"))


async def test_timer_that_only_measures_runs_in_every_replica(sessions: SessionFactory) -> None:
    timer = Timer(60, tick, once_anywhere=False)
    await asyncio.gather(*(run_timer(sessions, timer) for _ in range(5)))
    assert await ticks(sessions) == 5


async def test_act_that_is_given_the_time_runs_under_its_own_name(
    sessions: SessionFactory,
) -> None:
    given: list[datetime] = []

    async def note_time(_: AsyncSession, *, now: datetime) -> None:
        given.append(now)

    before = datetime.now(UTC)
    await run_timer(sessions, Timer(60, pass_now(note_time)))
    [now] = given
    assert before <= now <= datetime.now(UTC)
    name: str = await scalar(sessions, "SELECT name FROM timer")
    assert name.endswith("note_time")


async def test_timer_that_failed_is_still_due(sessions: SessionFactory) -> None:
    failures = iter([LookupError("first time")])

    async def fail_once(session: AsyncSession) -> None:
        await tick(session)
        for failure in failures:
            raise failure

    with pytest.raises(LookupError):
        await run_timer(sessions, Timer(60, fail_once))
    await run_timer(sessions, Timer(60, fail_once))
    assert await ticks(sessions) == 1


async def test_timer_that_has_left_work_runs_again_at_once(sessions: SessionFactory) -> None:
    """Each run has a transaction of its own, and one replica alone does them."""
    left = iter([True, True, False, True])

    async def act(session: AsyncSession) -> bool:
        await tick(session)
        return next(left)

    timer = Timer(60, act)
    await asyncio.gather(*(run_timer(sessions, timer) for _ in range(5)))
    assert await ticks(sessions) == 3
    transactions = "SELECT count(DISTINCT xmin::text) FROM effect"
    assert await scalar(sessions, transactions) == 3
