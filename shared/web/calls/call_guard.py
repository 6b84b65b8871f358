"""Refuse requests to a service that the gateway did not send."""

import hmac
from collections.abc import Collection
from hashlib import sha256

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.web.calls.call_mac import (
    NO_BODY,
    SCHEME,
    STREAMED,
    SUFFIX_BYTES,
    CallNotProved,
    CallVerifier,
    ProvedCall,
)
from shared.web.problems import respond

PROVED_CALL = "proved_call"


class CallGuard:
    """Refuse each request without a valid MAC, except to `open_paths`, which reveal no secret."""

    def __init__(self, app: ASGIApp, *, calls: CallVerifier, open_paths: Collection[str]) -> None:
        self._app, self._calls, self._open_paths = app, calls, open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._open_paths:
            await self._app(scope, receive, send)
            return
        try:
            call = self._calls.verify(scope)
        except CallNotProved as refused:
            await respond(refused, scope)(scope, receive, send)
            return
        scope[PROVED_CALL] = call
        body = _StreamedBody if call.body == STREAMED else _WholeBody
        await self._app(scope, body(call, self._calls, receive).receive, send)


class _WholeBody:
    """Withhold the end of a body until its digest equals the one that the call's MAC covers."""

    def __init__(self, call: ProvedCall, _: CallVerifier, receive: Receive) -> None:
        self._call, self._receive = call, receive
        self._digest = sha256()
        self._size = 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        piece = message.get("body", b"")
        self._size += len(piece)
        self._digest.update(piece)
        if not message.get("more_body", False) and not self._is_proved():
            raise _make_unproved_error()
        return message

    def _is_proved(self) -> bool:
        if self._call.body == NO_BODY:
            return self._size == 0
        return self._digest.hexdigest().encode() == self._call.body


class _StreamedBody:
    """Withhold and verify the last bytes, which are the MAC of the streamed body."""

    def __init__(self, call: ProvedCall, calls: CallVerifier, receive: Receive) -> None:
        self._call, self._calls, self._receive = call, calls, receive
        self._digest = sha256()
        self._withheld = b""

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        more = message.get("more_body", False)
        came = self._withheld + message.get("body", b"")
        piece, self._withheld = came[:-SUFFIX_BYTES], came[-SUFFIX_BYTES:]
        self._digest.update(piece)
        if not more:
            code = self._calls.sign_body(self._call, self._digest.digest())
            if not hmac.compare_digest(code, self._withheld):
                raise _make_unproved_error()
        return {"type": "http.request", "body": piece, "more_body": more}


def _make_unproved_error() -> HTTPException:
    """Return an HTTPException, because FastAPI treats other errors as an unreadable body."""
    return HTTPException(401, CallNotProved.advice, {"WWW-Authenticate": SCHEME})
