"""One service behind: how many calls it gets at once, and when it is left alone."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)
from multidict import CIMultiDict
from yarl import URL

from gateway.problems import UpstreamAway, UpstreamBroke, UpstreamBusy, UpstreamTimedOut
from gateway.upstreams import Operation, Service

# Below uvicorn's 5 s: the gateway, never the service, closes an idle connection, so that no call
# is sent into one that is just being closed.
_KEEPALIVE_S = 4.0
_CONNECT_S = 2.0
_OWN_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_BUSY_RETRY_S = 1


def open_session() -> ClientSession:
    """Changes nothing on the way: no decompression, cookies, redirects or headers of its own."""
    return ClientSession(
        # `Upstream` limits the calls; a second limit here would be a queue without end.
        connector=TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S),
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=_OWN_HEADERS,
    )


class Breaker:
    """Opens after `threshold` failures in a row; then lets one call through every `pause_s`."""

    def __init__(
        self,
        threshold: int = 5,
        pause_s: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threshold, self._pause_s, self._clock = threshold, pause_s, clock
        self._failures = 0
        self._closed_until = 0.0

    def wait_s(self) -> float:
        """0 where a call may go; else the seconds until the next probe. Taking 0 may be it."""
        if self._failures < self._threshold:
            return 0.0
        now = self._clock()
        if now < self._closed_until:
            return self._closed_until - now
        # Whoever asks now is the probe. Should it get lost, the next one goes after the pause.
        self._closed_until = now + self._pause_s
        return 0.0

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        self._closed_until = self._clock() + self._pause_s


class Upstream:
    """Calls to one service. `slots` is how many run at once; one more is refused, not queued."""

    def __init__(
        self, service: Service, address: str, *, slots: int = 256, breaker: Breaker | None = None
    ) -> None:
        self.service = service
        self._address = address.rstrip("/")
        self._slots = slots
        self._breaker = breaker or Breaker()
        self.in_flight = 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Raises UpstreamBusy or UpstreamAway where the service shall not be asked now."""
        if self.in_flight >= self._slots:
            raise UpstreamBusy(self.service, retry_after_s=_BUSY_RETRY_S)
        if wait_s := self._breaker.wait_s():
            raise UpstreamAway(self.service, retry_after_s=max(1, round(wait_s)))
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    async def ask(
        self,
        session: ClientSession,
        operation: Operation,
        target: str,
        headers: CIMultiDict[str],
        payload: bytes | AsyncIterator[bytes] | None,
    ) -> ClientResponse:
        """The answer's head. `target` is path and query as sent by the caller.

        Raises UpstreamAway, UpstreamTimedOut, UpstreamBroke. A connection that does not come about
        is tried once more where the operation is idempotent and has no body.
        """
        url = URL(self._address + target, encoded=True)
        timeout = ClientTimeout(connect=_CONNECT_S, sock_read=operation.timeout_s)
        attempts = 2 if operation.idempotent and payload is None else 1
        while True:
            attempts -= 1
            try:
                response = await session.request(
                    operation.method,
                    url,
                    headers=headers,
                    data=payload,
                    allow_redirects=False,
                    timeout=timeout,
                )
            except (ClientConnectorError, ConnectionTimeoutError) as error:
                self._breaker.failed()
                if attempts == 0:
                    raise self._not_reached(error) from error
            except TimeoutError as error:
                raise self.timed_out(operation) from error
            except ClientError as error:
                raise UpstreamBroke(self.service) from error
            else:
                self._breaker.succeeded()
                return response

    def timed_out(self, operation: Operation) -> UpstreamTimedOut:
        self._breaker.failed()
        return UpstreamTimedOut(self.service, seconds=operation.timeout_s)

    def _not_reached(self, error: Exception) -> UpstreamAway | UpstreamTimedOut:
        if isinstance(error, asyncio.TimeoutError):
            return UpstreamTimedOut(self.service, seconds=_CONNECT_S)
        return UpstreamAway(self.service, retry_after_s=_BUSY_RETRY_S)
