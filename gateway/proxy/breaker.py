"""Break the circuit to a failing service; one caller alone cannot open it while others succeed."""

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
    "upstream_failures_in_a_row",
    "Callers with a failed call since the service last answered",
    ["service"],
)
OPEN = Gauge("upstream_breaker_open", "1 while calls to a service are refused", ["service"])
OPENED = Counter("upstream_breaker_opened_total", "How often a breaker has opened", ["service"])


class Failure(StrEnum):
    """The failures that count. All of them happen after the whole request body has arrived."""

    UNREACHABLE = "unreachable"
    SILENT = "silent"
    BROKEN = "broken"
    TIMED_OUT = "timed-out"


class Breaker:
    """Refuse calls after `threshold` failures in a row; then let a probe through every `pause_s`.

    The failures of one holder count as one, because one client may send only requests that are
    slow. A failure does not count if the service has answered any call meanwhile.

    A probe ends with its call. A call that ends without a verdict, because its caller left, makes
    room for the next probe at once. A streamed call never uses the probe of the others, because its
    caller can prolong it.
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
        # One probe with a whole body and one with a streamed body may be under way.
        self._probes: set[bool] = set()
        # This counts the answers of the service; a call keeps the count at its start.
        self.answers = 0
        self.failures = 0
        self._failing: set[str] = set()
        self._failed_last: str | None = None
        self._in_a_row, self._open = IN_A_ROW.labels(service), OPEN.labels(service)
        self._opened = OPENED.labels(service)
        for kind in Failure:
            FAILURES.labels(service, kind)

    @property
    def is_open(self) -> bool:
        return self.failures >= self._threshold

    def seconds_until_probe(self, *, whole: bool = True, holder: str | None = None) -> float:
        """Return 0 if a call may proceed, else the seconds until the next probe.

        A call that passes an open breaker is the probe and must be ended by `end_probe`. The holder
        of the last failed call has to wait longer than others.
        """
        if not self.is_open:
            return 0.0
        goes_last = holder is not None and holder == self._failed_last
        wait_s = self._closed_until - self._clock() + (self._pause_s if goes_last else 0.0)
        if wait_s > 0:
            return wait_s
        if whole in self._probes:
            return self._pause_s
        self._probes.add(whole)
        return 0.0

    def end_probe(self, *, whole: bool = True) -> None:
        """End the probe of a call, with or without a verdict."""
        self._probes.discard(whole)

    def count_late_answer(self) -> None:
        """Count an answer after the timeout: it is no success, but the service is alive."""
        self.answers += 1

    def count_success(self) -> None:
        self.answers += 1
        if not self.failures:
            return
        if self.is_open:
            self._open.set(0)
            log.warning("breaker_closed", service=self._service)
        self.failures = 0
        self._failing.clear()
        self._in_a_row.set(0)

    def count_failure(
        self, kind: Failure, *, holder: str | None = None, since: int | None = None
    ) -> None:
        """Count a failure of a call of `holder` that began at `since` answers.

        Both are None where the service was not reached: no caller causes such a failure.
        """
        FAILURES.labels(self._service, kind).inc()
        if since is not None and since < self.answers:
            return
        was_open = self.is_open
        if holder is None or not (was_open or holder in self._failing):
            self.failures += 1
            self._in_a_row.set(self.failures)
        if holder is not None and not was_open:
            self._failing.add(holder)
        self._failed_last = holder
        self._closed_until = self._clock() + self._pause_s
        if self.is_open and not was_open:
            self._open.set(1)
            self._opened.inc()
            log.error("breaker_opened", service=self._service, failure=kind)
