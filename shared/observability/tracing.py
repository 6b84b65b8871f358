"""Carry the trace of a request through HTTP and events; export spans if a setting says so."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from fastapi import FastAPI
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from shared.crypto.randomness import draw_block
from shared.settings import ServiceSettings

tracer = trace.get_tracer(__name__)

# W3C Trace Context §3.2.2, where an id of zeros is invalid.
TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)


def start_trace(incoming: str | None) -> str:
    """Continue the caller's W3C traceparent if it is well formed, otherwise begin a new one."""
    traceparent = incoming if incoming and TRACEPARENT.fullmatch(incoming) else _make_traceparent()
    _traceparent.set(traceparent)
    return traceparent


def _make_traceparent() -> str:
    return f"00-{draw_block().hex()}-{draw_block()[:8].hex()}-01"


def read_trace_id() -> str | None:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        return f"{span.trace_id:032x}"
    traceparent = _traceparent.get()
    return traceparent.split("-")[1] if traceparent else None


def build_trace_headers() -> dict[str, str]:
    """Return the headers that carry the trace to the next process, over HTTP or in an event."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    if not carrier and (traceparent := _traceparent.get()):
        carrier["traceparent"] = traceparent
    return carrier


@contextmanager
def trace_events(name: str, traceparents: Sequence[str]) -> Iterator[None]:
    """Run a block in the trace of its event, or in a new trace that links to those of several."""
    causes = sorted(set(traceparents))
    cause = causes[0] if len(causes) == 1 else ""
    before = _traceparent.set(None)
    start_trace(cause)
    try:
        if not isinstance(trace.get_tracer_provider(), TracerProvider):
            yield
            return
        context = propagate.extract({"traceparent": cause})
        links = (
            []
            if cause
            else [
                trace.Link(_read_span_context(traceparent)) for traceparent in causes if traceparent
            ]
        )
        with tracer.start_as_current_span(name, context=context, links=links):
            yield
    finally:
        _traceparent.reset(before)


def _read_span_context(traceparent: str) -> trace.SpanContext:
    context = propagate.extract({"traceparent": traceparent})
    return trace.get_current_span(context).get_span_context()


# Attributes with the path and query as sent, by their old and new names; the route suffices.
_ADDRESSES = frozenset({"http.url", "http.target", "url.full", "url.path", "url.query"})


class _DiscreetExporter(OTLPSpanExporter):
    """Export spans without addresses and error texts.

    An address holds values of the caller, and drivers repeat the refused row in an error.
    """

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return super().export([_drop_texts(span) for span in spans])


def _drop_texts(span: ReadableSpan) -> ReadableSpan:
    attributes = span.attributes or {}
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={name: attributes[name] for name in attributes if name not in _ADDRESSES},
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
    # Its metadata requires SQLAlchemy < 2.1, but it works with 2.1, as a test verifies.
    SQLAlchemyInstrumentor().instrument(skip_dep_check=True)
    if app:
        FastAPIInstrumentor.instrument_app(
            app, excluded_urls="healthz,readyz,metrics", exclude_spans=["receive", "send"]
        )
