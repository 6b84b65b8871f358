"""The background half of a service, in this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.consumer import Handlers
from shared.settings import ServiceSettings
from shared.worker import run_parts
from tests.conftest import Broker


@asynccontextmanager
async def working(
    settings: ServiceSettings, handlers: Handlers, kafka: Broker
) -> AsyncIterator[None]:
    """It relays what the service announces, and hears what `handlers` are for."""
    over = {
        "kafka_servers": kafka.servers,
        "kafka_idempotent": kafka.idempotent,
        "kafka_fetch_wait_ms": kafka.fetch_wait_ms,
        "worker_port": 0,
    }
    task = asyncio.create_task(run_parts(settings.model_copy(update=over), handlers, ()))
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait([task])
