"""Calls that the gateway itself makes to a service.

The MAC of `shared.web.calls.call_mac` proves each of them, as it does the calls of clients. They
name no client, and the gateway forwards no call to their paths.
"""

from collections.abc import Generator
from http import HTTPStatus
from typing import Annotated
from uuid import uuid4

import httpx
from fastapi import Depends, Request
from pydantic import SecretStr

from shared.web.calls.call_guard import PROVED_CALL
from shared.web.calls.call_mac import (
    HEADER,
    NO_BODY,
    CallNotProved,
    CallParts,
    ProvedCall,
    hash_body,
    read_challenge,
    sign_call,
)


class ServiceCallAuth(httpx.Auth):
    """Sign each request to one service; repeat it once if the service names another epoch.

    The repeat uses the same connection, so that the same process verifies it.
    """

    requires_request_body = True

    def __init__(self, call_key: SecretStr) -> None:
        self._key = call_key.get_secret_value().encode()
        self._epoch = b"unknown"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield self._prove(request)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            challenge = response.headers.get("WWW-Authenticate", "")
            if epoch := read_challenge(challenge.encode()):
                self._epoch = epoch
                yield self._prove(request)

    def _prove(self, request: httpx.Request) -> httpx.Request:
        body = hash_body(request.content) if request.content else NO_BODY
        call = CallParts(request.method, request.url.raw_path, uuid4().hex.encode(), body)
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        value, _ = sign_call(self._key, call, headers, self._epoch)
        request.headers[HEADER.decode()] = value.decode()
        return request


async def _require_gateway(request: Request) -> None:
    call: ProvedCall | None = request.scope.get(PROVED_CALL)
    if call is None or call.client is not None:
        raise CallNotProved


# Refuses all callers except the gateway itself.
GatewayAlone = Annotated[None, Depends(_require_gateway)]
