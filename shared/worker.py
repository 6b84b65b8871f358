"""The background half of every service: sends its events, hears the others', minds the clock."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.app import ping, status_routes
from shared.consumer import Handlers, consume, forget_handled
from shared.database import SessionFactory, open_database, wait_out_outage
from shared.dead_letters import measure_dead_letters
from shared.events import ALL_TOPICS
from shared.idempotency import forget_keys
from shared.kafka import ensure_topics, open_consumer, open_producer
from shared.outbox import KEPT_DAYS, keep_partitions, measure_outbox, relay, replay
from shared.settings import ServiceSettings
from shared.telemetry import start_tracing

log = structlog.get_logger()

TIMER_LOCK = 7_003
DRAIN_SECONDS = 10.0


@dataclass(frozen=True)
class Timer:
    """Something to look at every so often, in a transaction of its own.

    `once_anywhere` is for work: one replica does it. What only measures runs in each.
    """

    seconds: float
    act: Callable[[AsyncSession], Awaitable[None]]
    once_anywhere: bool = True


HOUSEKEEPING = (
    Timer(2, measure_outbox, once_anywhere=False),
    Timer(5, measure_dead_letters, once_anywhere=False),
    Timer(3_600, keep_partitions),
    Timer(3_600, forget_handled),
    Timer(3_600, forget_keys),
)


async def work(
    settings: ServiceSettings, *, handlers: Handlers | None = None, timers: Sequence[Timer] = ()
) -> None:
    """Until SIGTERM or SIGINT; then what is under way ends, and nothing new begins."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    task = asyncio.create_task(run_parts(settings, handlers or {}, timers))
    stop = asyncio.create_task(stopped.wait())
    await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
    # Whatever is cut off here was not committed: it is done again, and the inbox knows the rest.
    task.cancel()
    stop.cancel()
    await asyncio.wait({task}, timeout=DRAIN_SECONDS)
    if not task.cancelled() and task.done() and (error := task.exception()):
        raise error


async def run_parts(settings: ServiceSettings, handlers: Handlers, timers: Sequence[Timer]) -> None:
    start_tracing(settings)
    status = _status_app()
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        tasks.create_task(_serve(status, settings))
        sessions = await stack.enter_async_context(open_database(settings))
        status.state.checks["database"] = lambda: ping(sessions)
        await wait_out_outage(_in_transaction)(sessions, keep_partitions)
        await ensure_topics(settings.kafka_servers, ALL_TOPICS)
        producer = await stack.enter_async_context(open_producer(settings))
        status.state.checks["broker"] = lambda: _broker_answers(producer)
        if settings.replay_at_start:
            await replay(sessions, producer, datetime.now(UTC) - timedelta(days=KEPT_DAYS))
        for timer in (*HOUSEKEEPING, *timers):
            tasks.create_task(_tick(sessions, timer))
        tasks.create_task(relay(sessions, producer, settings.database))
        tasks.create_task(_mind_topics(settings))
        if handlers:
            topics = sorted({event.topic for event in handlers})
            consumer = await stack.enter_async_context(
                open_consumer(settings, topics, settings.name)
            )
            tasks.create_task(consume(sessions, consumer, handlers))
        status.state.checks.pop("started")
        log.info("worker_started")


def _status_app() -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.state.checks = {"started": _not_yet}
    app.include_router(status_routes())
    return app


async def _not_yet() -> None:
    raise RuntimeError("still starting")


class _QuietServer(uvicorn.Server):
    """Leaves the signals to the worker: two owners would end it in the wrong order."""

    def install_signal_handlers(self) -> None:
        return


async def _serve(app: FastAPI, settings: ServiceSettings) -> None:
    config = uvicorn.Config(
        app, settings.host, settings.worker_port, log_config=None, access_log=False
    )
    server = _QuietServer(config)
    try:
        await server._serve()  # noqa: SLF001 -- serve() would take the signals over
    finally:
        await server.shutdown()


async def _tick(sessions: SessionFactory, timer: Timer) -> None:
    while True:
        await wait_out_outage(_in_transaction)(sessions, timer.act, alone=timer.once_anywhere)
        await asyncio.sleep(timer.seconds)


async def _in_transaction(
    sessions: SessionFactory,
    act: Callable[[AsyncSession], Awaitable[None]],
    *,
    alone: bool = True,
) -> None:
    async with sessions.begin() as session:
        name = func.hashtext(act.__qualname__)
        if alone and not await session.scalar(
            select(func.pg_try_advisory_xact_lock(TIMER_LOCK, name))
        ):
            return
        await act(session)


async def _broker_answers(producer: AIOKafkaProducer) -> None:
    if not await producer.client.force_metadata_update():
        raise ConnectionError("no broker answered")


async def _mind_topics(settings: ServiceSettings) -> None:
    """A broker that came back empty gets its topics again; what it lost is for `replay`."""
    while True:
        await asyncio.sleep(30)
        await ensure_topics(settings.kafka_servers, ALL_TOPICS)
