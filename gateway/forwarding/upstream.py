"""One service behind: how many calls it gets at once, and when it is left alone."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from gateway.forwarding.breaker import Breaker, Failure
from gateway.forwarding.connection import BrokenOffError, Connection, Payload
from gateway.forwarding.headers import Headers, find_header
from gateway.forwarding.patience import Wait
from gateway.forwarding.proving import CallProver
from gateway.forwarding.session import Address, Session
from gateway.forwarding.shares import Shares, ShareTaken, StockTaken
from gateway.problems import (
    SlotsTaken,
    UpstreamAway,
    UpstreamBroke,
    UpstreamBusy,
    UpstreamTimedOut,
)
from gateway.upstreams import Operation, Service

_CONNECT_S = 2.0
_BUSY_RETRY_S = 1
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
# RFC 9110 §5.
_SENDABLE = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*\n)*")


class Upstream:
    """Calls to one service. `slots` is how many run at once; one more is refused, not queued.

    A client may hold `client_share` times as many of them as are free.
    Without a `call_key`, calls are not proved: each of our services refuses them.
    """

    def __init__(
        self,
        service: Service,
        address: str,
        *,
        call_key: bytes | None = None,
        slots: int = 256,
        client_share: float = 0.5,
        breaker: Breaker | None = None,
    ) -> None:
        self.service = service
        self._address = Address.parse(address)
        self._inside = re.compile(b"^" + re.escape(address.rstrip("/").encode()) + b"(?=/)")
        self._slots = Shares(slots, client_share)
        self._prover = CallProver(service, call_key) if call_key else None
        self._breaker = breaker or Breaker(service=service)

    @property
    def in_flight(self) -> int:
        return self._slots.taken

    @contextmanager
    def slot(self, holder: str, *, whole: bool) -> Iterator[None]:
        """Hold a place among the calls; raises UpstreamBusy, SlotsTaken or UpstreamAway.

        `holder` is the client, or the address of one that is not proven. `whole`: nothing of the
        request has still to come from the caller.
        """
        try:
            self._slots.take(holder)
        except StockTaken:
            raise UpstreamBusy(self.service, retry_after_s=_BUSY_RETRY_S) from None
        except ShareTaken:
            raise SlotsTaken(self.service, retry_after_s=_BUSY_RETRY_S) from None
        probes = self._breaker.is_open
        try:
            if wait_s := self._breaker.wait_s(whole=whole):
                probes = False
                raise UpstreamAway(self.service, retry_after_s=max(1, round(wait_s)))
            yield
        finally:
            self._slots.give_back(holder)
            if probes:
                self._breaker.leave(whole=whole)

    async def ask(
        self,
        session: Session,
        operation: Operation,
        target: str,
        headers: Headers,
        payload: Payload,
        *,
        call_id: str = "",
    ) -> Connection:
        """Holds the answer's head. `target` is path and query as sent by the caller.

        Raises UpstreamAway, BrokenOffError, and UpstreamRefusesCalls where the service takes the
        call for unproved. Where the operation is idempotent and has no body, it is tried once more
        when no connection comes about, or when one that was kept open turns out to be closed.
        """
        ask = partial(self._ask, operation.method, target, headers, payload)
        repeatable = operation.idempotent and payload is None
        kept = session.take(self._address)
        connection = kept or await self._connect(session, attempts=1 + repeatable)
        try:
            try:
                await ask(connection, call_id=call_id)
            except BrokenOffError:
                if not (connection is kept and connection.silent and repeatable):
                    raise
                connection = await self._connect(session, attempts=1)
                # With an id of its own: the service may have taken the first.
                await ask(connection, call_id=f"{call_id}.again")
        except BrokenOffError:
            self.broke_off(connection, kept=connection is kept)
            raise
        except BaseException:
            connection.close()  # and what may still be sending to it
            raise
        return connection

    def answered(self) -> None:
        """Count what the service has answered in its favour."""
        self._breaker.succeeded()

    def broke_off(self, connection: Connection, *, kept: bool = False) -> None:
        """Close a connection that broke; a service counts as failing only where it had it all.

        A service may close a `kept` connection at any time before it says something.
        """
        connection.close()
        if connection.given and not (kept and connection.silent):
            self._breaker.failed(Failure.SILENT if connection.silent else Failure.BROKEN)

    async def _ask(
        self,
        method: str,
        target: str,
        headers: Headers,
        payload: Payload,
        connection: Connection,
        *,
        call_id: str,
    ) -> None:
        make_head = partial(self._head, method, target)
        if self._prover is None:
            await connection.ask(make_head(headers, payload), payload)
            return
        call = (method, target.encode(), call_id.encode())
        await self._prover.ask(connection, make_head, call, headers, payload)

    def give_back(self, session: Session, connection: Connection) -> None:
        session.give_back(self._address, connection)

    async def _connect(self, session: Session, *, attempts: int) -> Connection:
        while True:
            attempts -= 1
            try:
                with Wait(_CONNECT_S):
                    return await session.open(self._address)
            except OSError as error:  # and TimeoutError, which is one
                self._breaker.failed(Failure.UNREACHABLE)
                if attempts == 0:
                    # An overloaded service takes no connection in time: it was not asked either.
                    raise UpstreamAway(self.service, retry_after_s=_BUSY_RETRY_S) from error

    def _head(self, method: str, target: str, headers: Headers, payload: Payload) -> bytes:
        """Every part was checked: nothing in it ends a line."""
        address = self._address
        lines = [f"{method} {address.root}{target} HTTP/1.1\r\nhost: {address.authority}".encode()]
        lines += [b"%b: %b" % header for header in headers]
        if isinstance(payload, bytes):
            lines.append(b"content-length: %d" % len(payload))
        elif payload is not None:
            lines.append(b"transfer-encoding: chunked")
        elif method in _WITH_BODY:
            lines.append(b"content-length: 0")
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def headers_of(self, answer: Connection) -> Headers:
        """Without this service's own address; raises UpstreamBroke where they cannot be sent on."""
        raw = answer.headers
        if not _SENDABLE.fullmatch(b"".join([b"%b:%b\n" % header for header in raw])):
            raise UpstreamBroke(self.service)
        if find_header(raw, b"location") is None:
            return raw
        return [
            (name, self._inside.sub(b"", value) if name == b"location" else value)
            for name, value in raw
        ]

    def timed_out(self, operation: Operation) -> UpstreamTimedOut:
        """Count a call whose whole body the service had, and that it did not answer in time."""
        self._breaker.failed(Failure.TIMED_OUT)
        return UpstreamTimedOut(self.service, seconds=operation.timeout_s)
