"""The worker process of every service: relay, consumer, timers and background tasks."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import structlog
import uvicorn
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from fastapi import FastAPI

from shared.codes.time import utc_now
from shared.database.engine import open_database
from shared.database.session import SessionFactory
from shared.messaging.consumer import consume_topics
from shared.messaging.consumer_lag import list_committed_offsets, measure_lag
from shared.messaging.dead_letters import measure_dead_letters
from shared.messaging.event_proofs import EventSigner
from shared.messaging.inbox import Handlers, delete_expired_inbox_rows
from shared.messaging.kafka import open_consumer, open_producer, retry_during_broker_outage
from shared.messaging.outbox import RETENTION_DAYS, keep_partitions, measure_outbox
from shared.messaging.redelivery import redeliver_letters
from shared.messaging.relay import relay_outbox, replay_sent_events
from shared.messaging.topics import ensure_topics, list_partitions
from shared.messaging.unproven import delete_unproven_letters
from shared.observability.metrics import EVENTS_UNPROVEN
from shared.observability.tracing import start_tracing
from shared.runtime.app import Check, build_status_routes, ping_database
from shared.runtime.event_keys import make_event_signer, make_event_verifier
from shared.runtime.timers import Timer, pass_now, repeat_timer, run_timer
from shared.settings import ServiceSettings
from shared.web.http_client import open_client
from shared.web.idempotency import delete_expired_keys

log = structlog.get_logger()

DRAIN_S = 10.0
POLL_S = 0.1
STARTED, CAUGHT_UP = "started", "caught_up"  # the names of these checks at /readyz

# A coroutine that runs in each replica until it is cancelled.
Background = Callable[[SessionFactory], Coroutine[Any, Any, None]]

INFRASTRUCTURE_TIMERS = (
    Timer(2, pass_now(measure_outbox), once_anywhere=False),
    Timer(5, measure_dead_letters, once_anywhere=False),
    Timer(3_600, pass_now(keep_partitions)),
    Timer(3_600, delete_expired_inbox_rows),
    Timer(3_600, delete_expired_keys),
    Timer(3_600, delete_unproven_letters),
)


async def run_worker(
    settings: ServiceSettings,
    *,
    handlers: Handlers | None = None,
    timers: Sequence[Timer] = (),
    background: Sequence[Background] = (),
    catch_up: bool = False,
) -> None:
    """Run until SIGTERM or SIGINT; then finish the batches under way and begin no others.

    With `catch_up` the worker is not ready before it has handled all events that were waiting at
    its start.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    checks: dict[str, Check] = {CAUGHT_UP: _report_starting} if catch_up else {}
    parts = run_worker_parts(
        settings, handlers or {}, timers, checks, stopping, background=background
    )
    task = asyncio.create_task(parts)
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if STARTED not in checks:
        await asyncio.wait({task}, timeout=DRAIN_S)
    # A batch cancelled here was not committed, so it is repeated; the inbox ignores handled events.
    task.cancel()
    await asyncio.wait({task}, timeout=DRAIN_S)
    if not task.cancelled() and task.done() and (error := task.exception()):
        raise error


async def run_worker_parts(
    settings: ServiceSettings,
    handlers: Handlers,
    timers: Sequence[Timer],
    checks: dict[str, Check] | None = None,
    stopping: asyncio.Event | None = None,
    *,
    background: Sequence[Background] = (),
) -> None:
    """Run until `stopping` is set; `checks` receives the readiness checks of the worker."""
    start_tracing(settings)
    checks = {} if checks is None else checks
    checks[STARTED] = _report_starting
    async with asyncio.TaskGroup() as tasks:
        status = tasks.create_task(_serve_status(_build_status_app(checks), settings))
        parts: list[Timer | Background] = [*timers, *background]
        await _run_tasks(settings, handlers, parts, checks, stopping or asyncio.Event())
        status.cancel()


async def _run_tasks(
    settings: ServiceSettings,
    handlers: Handlers,
    parts: Sequence[Timer | Background],
    checks: dict[str, Check],
    stopping: asyncio.Event,
) -> None:
    async with AsyncExitStack() as stack:
        sessions = await stack.enter_async_context(open_database(settings))
        checks["database"] = lambda: ping_database(sessions)
        await run_timer(sessions, Timer(0, pass_now(keep_partitions)))
        await ensure_topics(settings)
        signer = make_event_signer(settings)
        producer = await stack.enter_async_context(open_producer(settings))
        checks["broker"] = lambda: _ping_broker(producer)
        # Entered last, so that the resources of the tasks close after the tasks have ended.
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        background = [
            tasks.create_task(
                repeat_timer(sessions, part) if isinstance(part, Timer) else part(sessions)
            )
            for part in (*INFRASTRUCTURE_TIMERS, *parts)
        ]
        background.append(tasks.create_task(_recreate_topics(settings)))
        replayed = asyncio.Event()
        tasks.create_task(
            relay_outbox(sessions, producer, signer, settings.database, stopping, replayed=replayed)
        )
        if settings.replay_at_start:
            tasks.create_task(_replay_recent_events(sessions, producer, signer, stopping))
        if handlers:
            tasks.create_task(
                _consume_events(settings, sessions, handlers, checks, stopping, replayed=replayed)
            )
        else:
            _mark_started(checks)
        await stopping.wait()
        # The relay and the consumer finish the batch under way and return by themselves.
        for task in background:
            task.cancel()


async def _replay_recent_events(
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    signer: EventSigner,
    stopping: asyncio.Event,
) -> None:
    """Publish the events of the retention again, concurrently with the relay.

    That may take minutes, for which a revocation must not wait. New events may then precede old
    ones; consumers ignore the older version.
    """
    since = utc_now() - timedelta(days=RETENTION_DAYS)
    await replay_sent_events(sessions, producer, signer, since, stopping)


async def _consume_events(
    settings: ServiceSettings,
    sessions: SessionFactory,
    handlers: Handlers,
    checks: dict[str, Check],
    stopping: asyncio.Event,
    *,
    replayed: asyncio.Event,
) -> None:
    """Consume the topics of the handlers until `stopping` is set.

    Joining the group may last the session timeout of a dead member, so the relay runs meanwhile.
    """
    topics = sorted({event.topic for event in handlers})
    for topic in topics:
        EVENTS_UNPROVEN.labels(topic)  # start at 0, or an alert would miss the first one
    async with (
        open_client() as http,
        open_consumer(
            settings,
            topics,
            settings.name,
            partitions=() if settings.kafka_group else list_partitions(topics),
        ) as consumer,
        asyncio.TaskGroup() as tasks,
    ):
        verifier = make_event_verifier(settings, http, topics)
        minding = [
            tasks.create_task(redeliver_letters(sessions, handlers, verifier, replayed)),
            tasks.create_task(measure_lag(sessions, consumer)),
            tasks.create_task(_await_catch_up(consumer, checks)),
        ]
        _mark_started(checks)
        await consume_topics(sessions, consumer, handlers, verifier, stopping)
        for task in minding:
            task.cancel()


def _mark_started(checks: dict[str, Check]) -> None:
    checks.pop(STARTED)
    log.info("worker_started")


async def _await_catch_up(consumer: AIOKafkaConsumer, checks: dict[str, Check]) -> None:
    """Wait until all events that were in the partitions at the start are handled, if required."""
    if CAUGHT_UP not in checks:
        return
    while not (partitions := consumer.assignment()):  # noqa: ASYNC110 -- aiokafka has no event for it
        await asyncio.sleep(POLL_S)
    begins = await retry_during_broker_outage(consumer.beginning_offsets)(partitions)
    ends = await retry_during_broker_outage(consumer.end_offsets)(partitions)
    # A partition whose events have all expired delivers nothing, so nothing is ever committed.
    waiting = {partition: end for partition, end in ends.items() if end > begins[partition]}
    while waiting:
        handled = await retry_during_broker_outage(list_committed_offsets)(consumer, waiting)
        waiting = {name: end for name, end in waiting.items() if handled.get(name, 0) < end}
        await asyncio.sleep(POLL_S)
    checks.pop(CAUGHT_UP)


def _build_status_app(checks: dict[str, Check]) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.state.checks = checks
    app.include_router(build_status_routes())
    return app


async def _report_starting() -> None:
    raise RuntimeError("still starting")


async def _serve_status(app: FastAPI, settings: ServiceSettings) -> None:
    config = uvicorn.Config(
        app, settings.host, settings.worker_port, log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    try:
        await server._serve()  # noqa: SLF001 -- serve() would take the signals over
    finally:
        await server.shutdown()


async def _ping_broker(producer: AIOKafkaProducer) -> None:
    if not await producer.client.force_metadata_update():
        raise ConnectionError("no broker answered")


async def _recreate_topics(settings: ServiceSettings) -> None:
    """Recreate the topics of a broker that returned empty; `replay` publishes the lost events."""
    while True:
        await asyncio.sleep(30)
        await ensure_topics(settings)
