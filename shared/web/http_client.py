"""The only place that opens HTTP clients: it decides library, timeouts and tracing."""

import ssl
from functools import cache

import httpx

from shared.observability.tracing import build_trace_headers

TIMEOUT = httpx.Timeout(5.0, connect=2.0)


def open_client(*, timeout: httpx.Timeout | None = None) -> httpx.AsyncClient:
    """Return a client for `async with`, whose requests carry the trace."""
    return httpx.AsyncClient(
        timeout=timeout or TIMEOUT,
        event_hooks={"request": [_add_trace_headers]},
        verify=_load_trust_store(),
    )


@cache  # a process opens several clients, and each would read all certificates anew
def _load_trust_store() -> ssl.SSLContext:
    return httpx.create_ssl_context()


async def _add_trace_headers(request: httpx.Request) -> None:
    request.headers.update(build_trace_headers())
