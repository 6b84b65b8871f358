"""One request passed on: pure ASGI in, aiohttp out, streamed both ways."""

from gateway.forwarding.exchange import Admit, Exchange, Ledger, Outcome
from gateway.forwarding.forwarder import Forwarder
from gateway.forwarding.upstream import Breaker, Upstream, open_session

__all__ = [
    "Admit",
    "Breaker",
    "Exchange",
    "Forwarder",
    "Ledger",
    "Outcome",
    "Upstream",
    "open_session",
]
