"""An app in this process: called as it is, or behind a port."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from starlette.types import ASGIApp

from tests.support.factories import ProvingTransport, TestAuthority
from tests.support.waiting import eventually


@asynccontextmanager
async def calling(
    app: FastAPI, authority: TestAuthority | None = None, *, raise_app_exceptions: bool = False
) -> AsyncIterator[AsyncClient]:
    """As the gateway calls it, each call proved; it believes `authority`.

    An error that no one foresaw is answered, as uvicorn would, and not raised into the test.
    """
    through = ProvingTransport if hasattr(app.state, "calls") else ASGITransport
    transport = through(app, raise_app_exceptions=raise_app_exceptions)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://service") as http,
    ):
        if authority:
            authority.install(app)
        yield http


@asynccontextmanager
async def serving(app: ASGIApp, port: int = 0) -> AsyncIterator[int]:
    """The port of `app` behind a real server: the given one, or any that is free."""
    config = uvicorn.Config(
        app,
        port=port,
        lifespan="off",
        log_level="critical",
        loop="none",
        interface="asgi3",
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = server.force_exit = True
    await task
