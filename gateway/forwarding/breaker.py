"""The circuit breaker of one service: it counts failures of the service, never acts of a caller."""

import time
from collections.abc import Callable
from enum import StrEnum

import structlog
from prometheus_client import Counter, Gauge

log = structlog.get_logger()

FAILURES = Counter(
    "upstream_failures_total", "Failures of a service, by their kind", ["service", "kind"]
)
IN_A_ROW = Gauge(
    "upstream_failures_in_a_row", "Failures since the last answer of a service", ["service"]
)
OPEN = Gauge("upstream_breaker_open", "1 while calls to a service are refused", ["service"])
OPENED = Counter("upstream_breaker_opened_total", "How often a breaker has opened", ["service"])


class Failure(StrEnum):
    """The only events that count. Each of them happens after the caller has sent its whole body."""

    UNREACHABLE = "unreachable"
    SILENT = "silent"
    BROKEN = "broken"
    TIMED_OUT = "timed-out"


class Breaker:
    """Refuse calls after `threshold` failures in a row; then let a probe through every `pause_s`.

    A probe ends with its call. A call that ends without a verdict, because its caller left, makes
    room for the next probe at once. A streamed call never takes the probe of the others: its
    caller can draw it out.
    """

    def __init__(
        self,
        threshold: int = 5,
        pause_s: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
        *,
        service: str = "",
    ) -> None:
        self._threshold, self._pause_s, self._clock = threshold, pause_s, clock
        self._service = service
        self._closed_until = 0.0
        # One probe of each kind may be under way: with its body whole, or streamed.
        self._probes: set[bool] = set()
        self.failures = 0
        self._in_a_row, self._open = IN_A_ROW.labels(service), OPEN.labels(service)
        self._opened = OPENED.labels(service)
        for kind in Failure:
            FAILURES.labels(service, kind)

    @property
    def is_open(self) -> bool:
        return self.failures >= self._threshold

    def wait_s(self, *, whole: bool = True) -> float:
        """Return 0 where a call may go, else the seconds until the next probe.

        A call that goes through an open breaker is the probe and must be ended by `leave`.
        """
        if not self.is_open:
            return 0.0
        now = self._clock()
        if now < self._closed_until:
            return self._closed_until - now
        if whole in self._probes:
            return self._pause_s
        self._probes.add(whole)
        return 0.0

    def leave(self, *, whole: bool = True) -> None:
        """End the probe of a call, with or without a verdict."""
        self._probes.discard(whole)

    def succeeded(self) -> None:
        if not self.failures:
            return
        if self.is_open:
            self._open.set(0)
            log.warning("breaker_closed", service=self._service)
        self.failures = 0
        self._in_a_row.set(0)

    def failed(self, kind: Failure) -> None:
        FAILURES.labels(self._service, kind).inc()
        was_open = self.is_open
        self.failures += 1
        self._in_a_row.set(self.failures)
        self._closed_until = self._clock() + self._pause_s
        if self.is_open and not was_open:
            self._open.set(1)
            self._opened.inc()
            log.error("breaker_opened", service=self._service, failure=kind)
