"""One request passed on: pure ASGI in, connections of its own out, streamed both ways."""

from gateway.forwarding.breaker import Breaker
from gateway.forwarding.exchange import Admit, Exchange, Ledger, Outcome
from gateway.forwarding.forwarder import Forwarder
from gateway.forwarding.upstream import Upstream
from gateway.http1.deadline import Wait, present_task
from gateway.http1.pool import open_session

__all__ = [
    "Admit",
    "Breaker",
    "Exchange",
    "Forwarder",
    "Ledger",
    "Outcome",
    "Upstream",
    "Wait",
    "open_session",
    "present_task",
]
