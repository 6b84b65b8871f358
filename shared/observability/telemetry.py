"""What a process tells about itself: logs, the trace id, metrics; tracing by a setting."""

import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import stamina
import structlog
from fastapi import FastAPI
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from prometheus_client import Counter, Gauge, Histogram
from structlog.typing import EventDict, WrappedLogger

from shared.crypto.randomness import random_block
from shared.settings import ServiceSettings

log = structlog.get_logger()
tracer = trace.get_tracer(__name__)

REQUEST_SECONDS = Histogram(
    "http_request_seconds",
    "Requests by route template, from first byte in to last byte out",
    ["method", "route", "status"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 3, 10),
)
OUTBOX_PENDING = Gauge("outbox_pending", "Events written and not yet sent")
OUTBOX_AGE = Gauge("outbox_age_seconds", "Age of the oldest event not yet sent")
EVENTS_SENT = Counter("outbox_events_sent_total", "Events the broker acknowledged", ["topic"])
EVENTS_HANDLED = Counter("events_handled_total", "Events that took effect", ["topic"])
EVENTS_UNPROVEN = Counter(
    "events_unproven_total", "Messages that the owner of their topic did not sign", ["topic"]
)
CONSUMER_LAG = Gauge("consumer_lag_events", "Events waiting", ["topic", "partition"])
DEAD_LETTERS = Gauge("dead_letters_open", "Messages set aside and not yet dealt with")

# W3C Trace Context §3.2.2; all zeros stand for "none" there.
TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)


def start_trace(incoming: str | None) -> str:
    """Take over the caller's W3C traceparent where it is well formed, else begin one."""
    traceparent = incoming if incoming and TRACEPARENT.fullmatch(incoming) else _new_traceparent()
    _traceparent.set(traceparent)
    return traceparent


def _new_traceparent() -> str:
    return f"00-{random_block().hex()}-{random_block()[:8].hex()}-01"


def current_trace_id() -> str | None:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        return f"{span.trace_id:032x}"
    traceparent = _traceparent.get()
    return traceparent.split("-")[1] if traceparent else None


def trace_headers() -> dict[str, str]:
    """What carries the trace to the next process, over HTTP or in an event."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    if not carrier and (traceparent := _traceparent.get()):
        carrier["traceparent"] = traceparent
    return carrier


@contextmanager
def trace_of_events(name: str, traceparents: Sequence[str]) -> Iterator[None]:
    """What one event caused belongs to its trace; what many did is a trace with links to theirs."""
    causes = sorted(set(traceparents))
    cause = causes[0] if len(causes) == 1 else ""
    before = _traceparent.set(None)
    start_trace(cause)
    try:
        if not isinstance(trace.get_tracer_provider(), TracerProvider):
            yield
            return
        context = propagate.extract({"traceparent": cause})
        links = [] if cause else [trace.Link(_context_of(one)) for one in causes if one]
        with tracer.start_as_current_span(name, context=context, links=links):
            yield
    finally:
        _traceparent.reset(before)


def _context_of(traceparent: str) -> trace.SpanContext:
    context = propagate.extract({"traceparent": traceparent})
    return trace.get_current_span(context).get_span_context()


def _add_trace_id(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    if trace_id := current_trace_id():
        event["trace_id"] = trace_id
    return event


def configure_logging(settings: ServiceSettings) -> None:
    console = settings.log_format == "console"
    steps: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace_id,
    ]
    if not console:
        steps.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*steps, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer = (
        # The default shows the local variables of each frame: names and numbers of people.
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=steps,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # While the broker is away it writes some fifty lines a second; /readyz and the lag tell it too.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    for package in ("shared", settings.name):
        logging.getLogger(package).setLevel(settings.log_level)
    structlog.contextvars.bind_contextvars(service=settings.name, process=os.getpid())
    stamina.instrumentation.set_on_retry_hooks([_log_retry])


def _log_retry(details: stamina.instrumentation.RetryDetails) -> None:
    """Not stamina's own line, which repeats the arguments (whole batches) and the error's text."""
    log.warning(
        "waiting_out",
        what=details.name,
        error=type(details.caused_by).__name__,
        seconds=round(details.wait_for, 2),
        attempt=details.retry_num,
    )


# Path and query as they were sent, by the old and the new names: the route tells enough.
_ADDRESSES = frozenset({"http.url", "http.target", "url.full", "url.path", "url.query"})


class _DiscreetExporter(OTLPSpanExporter):
    """Tells the route, not what a caller put into its address; that a step failed, not what the
    error said: drivers repeat the row they refused.
    """

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return super().export([_without_texts(span) for span in spans])


def _without_texts(span: ReadableSpan) -> ReadableSpan:
    told = span.attributes or {}
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={name: told[name] for name in told if name not in _ADDRESSES},
        links=span.links,
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=trace.Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
    )


def start_tracing(settings: ServiceSettings, app: FastAPI | None = None) -> None:
    """Switch OpenTelemetry on where `TRACING_ENDPOINT` names an OTLP/HTTP collector."""
    if not settings.tracing_endpoint:
        return
    provider = TracerProvider(resource=Resource.create({"service.name": settings.name}))
    exporter = _DiscreetExporter(endpoint=f"{settings.tracing_endpoint}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    HTTPXClientInstrumentor().instrument()
    # It names SQLAlchemy < 2.1 and works with 2.1; a test tells when it no longer does.
    SQLAlchemyInstrumentor().instrument(skip_dep_check=True)
    if app:
        FastAPIInstrumentor.instrument_app(
            app, excluded_urls="healthz,readyz,metrics", exclude_spans=["receive", "send"]
        )
