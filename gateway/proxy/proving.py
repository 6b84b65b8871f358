"""Prove calls to one service by the key that the gateway and the service share."""

from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from http import HTTPStatus

import structlog

from gateway.http1.connection import BrokenOffError, Connection, Payload
from gateway.http1.deadline import Deadline
from gateway.operations.model import Service
from gateway.proxy.headers import RawHeaders, find_header
from gateway.proxy.problems import UpstreamRefusesCalls
from shared.web.calls.call_mac import (
    HEADER,
    NO_BODY,
    STREAMED,
    CallParts,
    hash_body,
    read_challenge,
    sign_body,
    sign_call,
)

log = structlog.get_logger()

# The first attempt uses the known epoch, the second the one that the service names.
_ATTEMPTS = 2
_RETRY_AFTER_S = 1
# A service refuses an unproved request at once.
_EPOCH_WITHIN_S = 2.0

MakeHead = Callable[[CallParts, RawHeaders, Payload], bytes]


class UnsentError(BrokenOffError):
    """The connection broke or stayed silent before any byte of the call was sent."""


class CallProver:
    """Prove calls with the epoch that the service named last.

    Several processes of a service may share one address, each with an epoch of its own. A
    connection stays with one of them, so it keeps its own epoch too.
    """

    def __init__(self, service: Service, key: bytes) -> None:
        self._service, self._key = service, key
        self._epoch = b"unknown"

    async def send_proved_call(
        self,
        connection: Connection,
        make_head: MakeHead,
        call: CallParts,
        headers: RawHeaders,
        payload: Payload,
    ) -> None:
        """Send a call with its proof; `call` has a unique id.

        A service that names another epoch has done nothing yet, so the call is sent once more. A
        body that streams cannot be sent twice: the epoch is fetched before, which raises
        UnsentError.
        """
        streams = call.body == STREAMED
        if streams:
            await self._fetch_epoch(connection, make_head, call)
        for _ in range(1 if streams else _ATTEMPTS):
            epoch = connection.epoch or self._epoch
            value, code = sign_call(self._key, call, headers, epoch)
            head = make_head(call, [*headers, (HEADER, value)], payload)
            await connection.send_request(head, self._append_body_code(payload, code))
            named = _read_epoch_challenge(connection)
            if named is None:
                return
            await _skip_answer_body(connection)
            if named in {b"", epoch}:
                break
            connection.epoch = self._epoch = named
        log.error("call_not_proved", service=self._service)
        raise UpstreamRefusesCalls(self._service, retry_after_s=_RETRY_AFTER_S)

    async def _fetch_epoch(
        self, connection: Connection, make_head: MakeHead, call: CallParts
    ) -> None:
        """Request the root of the service without a proof, which the service refuses."""
        root = call._replace(method="GET", target=b"/", body=NO_BODY)
        try:
            with Deadline(_EPOCH_WITHIN_S):
                await connection.send_request(make_head(root, (), None), None)
                named = _read_epoch_challenge(connection)
                await _skip_answer_body(connection)
        except (BrokenOffError, TimeoutError) as error:
            raise UnsentError from error
        if named:
            connection.epoch = self._epoch = named

    def _append_body_code(self, payload: Payload, code: bytes) -> Payload:
        if payload is None or isinstance(payload, bytes):
            return payload
        return self._stream_with_code(payload, code)

    async def _stream_with_code(
        self, pieces: AsyncIterator[bytes], code: bytes
    ) -> AsyncIterator[bytes]:
        digest = sha256()
        async for piece in pieces:
            digest.update(piece)
            yield piece
        yield sign_body(self._key, code, digest.digest())


def describe_call_body(payload: Payload, known: str | None) -> bytes:
    """Return the part of a call that stands for its body; `known` is its SHA-256 in hex."""
    if payload is None:
        return NO_BODY
    if not isinstance(payload, bytes):
        return STREAMED
    return known.encode() if known else hash_body(payload)


def _read_epoch_challenge(connection: Connection) -> bytes | None:
    """Return the epoch of a refused proof, empty if it names none; None for any other answer."""
    if connection.status != HTTPStatus.UNAUTHORIZED:
        return None
    return read_challenge(find_header(connection.headers, b"www-authenticate") or b"")


async def _skip_answer_body(connection: Connection) -> None:
    while not connection.is_at_end:
        await connection.read_body_piece()
