"""A collector of traces by OTLP/HTTP that keeps in memory what it was told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """One step of a trace; `parent` is empty for the first."""

    trace: str
    span: str
    parent: str
    service: str
    name: str


@dataclass
class Collector:
    endpoint: str
    heard: list[bytes] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def of(self, trace: str) -> list[Span]:
        return [span for span in list(self.spans) if span.trace == trace]

    def texts(self) -> list[str]:
        """Of each message, for a search: in its bytes no end of a value can be seen."""
        return [str(ExportTraceServiceRequest.FromString(told)) for told in list(self.heard)]


@contextmanager
def collecting() -> Iterator[Collector]:
    class Heard(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = self.rfile.read(int(self.headers["Content-Length"]))
            collector.heard.append(told)
            collector.spans.extend(_spans(ExportTraceServiceRequest.FromString(told)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Heard) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield collector
        server.shutdown()
        thread.join()


def _spans(told: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in told.resource_spans:
        named = {each.key: each.value.string_value for each in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    trace=span.trace_id.hex(),
                    span=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    service=named["service.name"],
                    name=span.name,
                )
