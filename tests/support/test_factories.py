"""Calls of tests are proved as the gateway proves its own."""

from typing import cast

import httpx
from fastapi import FastAPI, Request, Response

from shared.web.calls.call_mac import CallNotProved, CallVerifier
from tests.support.factories import ProvingTransport


async def test_call_under_way_survives_the_end_of_its_epoch() -> None:
    service, calls = FastAPI(), CallVerifier(b"k" * 64)
    service.state.calls = calls
    epochs: list[str] = []

    @service.get("/")
    async def answer(request: Request) -> Response:
        if not epochs:
            calls._begin_epoch()
        epochs.append(calls.epoch)
        try:
            calls.verify(request.scope)
        except CallNotProved as refused:
            return Response(status_code=401, headers=dict(refused.headers or {}))
        return Response()

    transport = cast("httpx.AsyncBaseTransport", ProvingTransport(service))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
        assert (await http.get("/")).status_code == 200
    assert len(epochs) == 2
