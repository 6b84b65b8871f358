"""The background half of a service, in this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from shared.messaging.inbox import Handlers
from shared.runtime.worker import run_worker_parts
from shared.settings import ServiceSettings
from tests.conftest import Broker
from tests.support.event_keys import key_text, serving_keys


@asynccontextmanager
async def working(
    settings: ServiceSettings, handlers: Handlers, kafka: Broker
) -> AsyncIterator[None]:
    """It relays what the service announces, and hears what `handlers` are for."""
    over = {
        "event_key": SecretStr(key_text(settings.name)),
        "kafka_servers": kafka.servers,
        "kafka_idempotent": kafka.idempotent,
        "kafka_fetch_wait_ms": kafka.fetch_wait_ms,
        "worker_port": 0,
    }
    with serving_keys() as urls:
        worker = run_worker_parts(settings.model_copy(update={**over, **urls}), handlers, ())
        task = asyncio.create_task(worker)
        try:
            yield
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.wait([task])
