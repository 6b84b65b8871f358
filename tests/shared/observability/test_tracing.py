"""Tracing is a setting: on, a collector hears of requests and statements; off, nobody does."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from shared.database.session import SessionFactory
from shared.runtime.app import create_service
from shared.settings import ServiceSettings
from tests.support.collector import Collector, collecting
from tests.support.factories import DIGEST_KEY
from tests.support.waiting import PATIENCE_S

ROOT = Path(__file__).parents[3]
# Not as a person's begins: PostgreSQL repeats it in its log, which is searched for those.
NUMBER = "979204001234"
# Tracing is switched on for a whole process: each case gets one of its own.
REQUESTS = f"""
import asyncio, httpx, sys
from fastapi import APIRouter
from opentelemetry import trace
from sqlalchemy import text
from shared.runtime.app import create_service
from shared.web.dependencies import Session
from shared.settings import ServiceSettings

router = APIRouter()

@router.post("/effects/{{number}}")
async def write(number: str, session: Session) -> None:
    await session.execute(text("INSERT INTO effect VALUES (:key, 1)"), {{"key": "{NUMBER}"}})
    if number == "8":  # PostgreSQL repeats what it cannot read in its message
        query = text("SELECT CAST(CAST(:key AS text) AS date)")
        await session.execute(query, {{"key": "{NUMBER}"}})

async def main(settings):
    app = create_service(settings, title="Test", prefix="/test/v1", routers=[router])
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app):
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            traces = []
            for number, status in ((7, 200), (8, 500)):
                answer = await client.post(f"/effects/{{number}}")
                assert answer.status_code == status, answer.text
                traces.append(answer.headers["X-Trace-Id"])
    provider = trace.get_tracer_provider()
    if hasattr(provider, "shutdown"):
        provider.shutdown()
    print(*traces, type(provider).__name__, sep="\\n")

class Settings(ServiceSettings):
    name: str = "dossier_service"

asyncio.run(main(Settings.read()))
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


async def run(settings: ServiceSettings, endpoint: str) -> list[str]:
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": settings.database_url,
        "KAFKA_SERVERS": settings.kafka_servers,
        "DIGEST_KEY": DIGEST_KEY.get_secret_value(),
        "EVENT_KEY": settings.event_key.get_secret_value(),
        "TRACING_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
    }
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", REQUESTS],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert ended.returncode == 0, ended.stderr[-3_000:]
    return ended.stdout.splitlines()[-3:]


async def test_collector_hears_of_requests_and_statements_but_not_of_their_values(
    settings: ServiceSettings, sessions: SessionFactory, collector: Collector
) -> None:
    first, second, provider = await run(settings, collector.endpoint)
    assert provider == "TracerProvider"
    told = b"".join(collector.heard)
    for trace_id in (first, second):
        assert bytes.fromhex(trace_id) in told
    assert b"POST /effects/{number}" in told
    assert b"INSERT INTO effect" in told
    assert b"dossier_service" in told
    assert NUMBER.encode() not in told
    assert b"/effects/7" not in told


def test_without_an_address_nothing_is_traced(settings: ServiceSettings) -> None:
    create_service(settings, title="Test", prefix="/test/v1", routers=[])
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)
