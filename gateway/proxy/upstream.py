"""Call one upstream service: limit its concurrent calls, and stop calls while it fails."""

import errno
import re
from typing import Self

import structlog

from gateway.http1.connection import BrokenOffError, Connection, Payload
from gateway.http1.deadline import Deadline
from gateway.http1.pool import Address, ConnectionPool
from gateway.operations.model import Operation, Service
from gateway.proxy.breaker import Breaker, Failure
from gateway.proxy.headers import RawHeaders, find_header
from gateway.proxy.problems import SlotsTaken, UpstreamAway, UpstreamBusy, UpstreamTimedOut
from gateway.proxy.proving import CallProver, UnsentError, describe_call_body
from shared.web.bodies.shares import Shares, ShareTaken, StockTaken
from shared.web.calls.call_mac import CallParts

log = structlog.get_logger()

# These errors mean that this process lacks files, ports or memory; the service did not fail.
_OWN_FAULTS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL}
_CONNECT_S = 2.0
_BUSY_RETRY_S = 1
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Upstream:
    """An upstream service. `slots` bounds its concurrent calls; further ones are refused.

    A client may hold `client_share` times as many of them as are free. Without a `call_key`, calls
    are not proved, and each of our services refuses them.
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
        self._root, self._host = self._address.root.encode(), self._address.authority.encode()
        self._inside = re.compile(b"^" + re.escape(address.rstrip("/").encode()) + b"(?=/)")
        self._slots = Shares(slots, client_share)
        self._prover = CallProver(service, call_key) if call_key else None
        self._breaker = breaker or Breaker(service=service)

    @property
    def in_flight(self) -> int:
        return self._slots.taken

    def reserve_call_slot(self, holder: str, *, whole: bool) -> "Slot":
        """Return a slot for one call, to be held by `with`.

        `holder` is the client, or the address of an unproven one. `whole`: the whole request has
        arrived from the caller.
        """
        return Slot(self, self._slots, self._breaker, holder, whole=whole)

    async def send_call(
        self,
        pool: ConnectionPool,
        operation: Operation,
        target: str,
        headers: RawHeaders,
        payload: Payload,
        *,
        slot: "Slot",
        call_id: str = "",
        body_sha256: str | None = None,
    ) -> Connection:
        """Send a call and return the connection with the head of its answer.

        Raise UpstreamAway, BrokenOffError or UpstreamRefusesCalls; `body_sha256` is in hex.
        """
        body = describe_call_body(payload, body_sha256)
        call = CallParts(operation.method, target.encode(), call_id.encode(), body)
        repeatable = operation.idempotent and payload is None
        pooled = pool.acquire(self._address)
        connection = pooled or await self._open_new_connection(pool, attempts=1 + repeatable)
        try:
            if pooled is None:
                await self._send_on_connection(connection, call, headers, payload)
            elif not await self._send_on_pooled_connection(
                pooled, call, headers, payload, repeatable=repeatable
            ):
                connection = await self._open_new_connection(pool, attempts=1)
                # The service may have accepted the first id, so the repeated call has its own.
                call = call._replace(call_id=b"%b.again" % call.call_id)
                await self._send_on_connection(connection, call, headers, payload)
        except BrokenOffError as error:
            slot.close_broken_connection(connection, reused=connection is pooled)
            if isinstance(error, UnsentError):
                raise UpstreamAway(self.service, retry_after_s=_BUSY_RETRY_S) from error
            raise
        except BaseException:
            connection.close()  # this ends a send that is still under way
            raise
        return connection

    async def _send_on_pooled_connection(
        self,
        connection: Connection,
        call: CallParts,
        headers: RawHeaders,
        payload: Payload,
        *,
        repeatable: bool,
    ) -> bool:
        """Return False where the connection had closed, so that the call needs a new one.

        Only a call that is repeatable, or of which no byte was sent, is repeated.
        """
        try:
            await self._send_on_connection(connection, call, headers, payload)
        except BrokenOffError as error:
            if connection.is_silent and (repeatable or isinstance(error, UnsentError)):
                return False
            raise
        return True

    async def _send_on_connection(
        self, connection: Connection, call: CallParts, headers: RawHeaders, payload: Payload
    ) -> None:
        if self._prover:
            await self._prover.send_proved_call(
                connection, self._build_request_head, call, headers, payload
            )
        else:
            await connection.send_request(self._build_request_head(call, headers, payload), payload)

    def release_connection(self, pool: ConnectionPool, connection: Connection) -> None:
        pool.release(self._address, connection)

    async def _open_new_connection(self, pool: ConnectionPool, *, attempts: int) -> Connection:
        while True:
            attempts -= 1
            try:
                with Deadline(_CONNECT_S):
                    return await pool.open(self._address)
            except OSError as error:  # and TimeoutError, which is one
                if error.errno in _OWN_FAULTS:
                    log.exception("no_connection_possible", service=self.service)
                    raise UpstreamAway(self.service, retry_after_s=_BUSY_RETRY_S) from error
                self._breaker.count_failure(Failure.UNREACHABLE)
                if attempts == 0:
                    # An overloaded service may not accept in time; it did not get the call.
                    raise UpstreamAway(self.service, retry_after_s=_BUSY_RETRY_S) from error

    def _build_request_head(self, call: CallParts, headers: RawHeaders, payload: Payload) -> bytes:
        """Return the head of the request; all parts were checked and contain no line break."""
        first = (call.method.encode(), self._root, call.target, self._host)
        lines = [b"%b %b%b HTTP/1.1\r\nhost: %b" % first]
        lines += [b"%b: %b" % header for header in headers]
        if isinstance(payload, bytes):
            lines.append(b"content-length: %d" % len(payload))
        elif payload is not None:
            lines.append(b"transfer-encoding: chunked")
        elif call.method in _WITH_BODY:
            lines.append(b"content-length: 0")
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def read_answer_headers(self, answer: Connection) -> RawHeaders:
        """Return the headers with Location relative to the gateway."""
        raw = answer.headers
        if find_header(raw, b"location") is None:
            return raw
        return [
            (name, self._inside.sub(b"", value) if name == b"location" else value)
            for name, value in raw
        ]


class Slot:
    """A slot for one call to a service, and the probe where its breaker is open.

    The result of the call counts for or against the service. Entering raises UpstreamBusy,
    SlotsTaken or UpstreamAway.
    """

    __slots__ = ("_breaker", "_holder", "_probes", "_since", "_slots", "_whole", "upstream")

    def __init__(
        self, upstream: Upstream, slots: Shares, breaker: Breaker, holder: str, *, whole: bool
    ) -> None:
        self.upstream, self._slots, self._breaker = upstream, slots, breaker
        self._holder, self._whole, self._probes = holder, whole, False

    def __enter__(self) -> Self:
        try:
            self._slots.take(self._holder)
        except StockTaken:
            raise UpstreamBusy(self.upstream.service, retry_after_s=_BUSY_RETRY_S) from None
        except ShareTaken:
            raise SlotsTaken(self.upstream.service, retry_after_s=_BUSY_RETRY_S) from None
        self._since = self._breaker.answers
        if self._breaker.is_open:
            self._take_breaker_probe()
        return self

    def _take_breaker_probe(self) -> None:
        if wait_s := self._breaker.seconds_until_probe(whole=self._whole, holder=self._holder):
            self._slots.give_back(self._holder)
            raise UpstreamAway(self.upstream.service, retry_after_s=max(1, round(wait_s)))
        self._probes = True

    def __exit__(self, *_: object) -> None:
        self._slots.give_back(self._holder)
        if self._probes:
            self._breaker.end_probe(whole=self._whole)

    def count_answer(self, *, is_late: bool = False) -> None:
        """Count an answer as a success of the service."""
        if is_late:
            self._breaker.count_late_answer()
        else:
            self._breaker.count_success()

    def close_broken_connection(self, connection: Connection, *, reused: bool = False) -> None:
        """Close a broken connection; count a failure only where the service had the whole request.

        A service may close a `reused` connection at any time before it answers.
        """
        connection.close()
        if connection.is_request_sent and not (reused and connection.is_silent):
            self._count_service_failure(Failure.SILENT if connection.is_silent else Failure.BROKEN)

    def count_timeout(self, operation: Operation) -> UpstreamTimedOut:
        """Count a call that the service did not answer in time, and return its problem."""
        self._count_service_failure(Failure.TIMED_OUT)
        return UpstreamTimedOut(self.upstream.service, seconds=operation.timeout_s)

    def _count_service_failure(self, kind: Failure) -> None:
        self._breaker.count_failure(kind, holder=self._holder, since=self._since)
