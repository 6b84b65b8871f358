"""What the gateway's HTTP process is made of: the forwarder, and its own routes behind it."""

import asyncio
import ctypes
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import httpx
from fastapi import FastAPI
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server
from starlette.types import Receive, Scope, Send

from gateway.admission import Admission
from gateway.feed import RightsFeed
from gateway.forwarding import Forwarder, Upstream, open_session
from gateway.keys import RightsSigner, ledger_key_set, ledger_keys, read_private_key
from gateway.ledger.writer import LedgerWriter
from gateway.limits import Quotas
from gateway.openapi import ApiDescription
from gateway.own import OwnOperations
from gateway.rights import Rights
from gateway.routes import ROUTERS
from gateway.settings import Settings
from gateway.upstreams import Service
from shared.app import AUDIENCE, Check, create_service
from shared.auth import RIGHTS_ISSUER, CallerCheck, KeySet, Verifier
from shared.clients import open_client
from shared.telemetry import configure_logging

DRAIN_SECONDS = 10
PR_SET_PDEATHSIG = 1  # of prctl(2)
ANSWER_SECONDS = 1.0
HEADER_MS = 10_000
MOST_CONNECTIONS = 2_048


class Gateway:
    """The ASGI application; the lifespan of its own routes opens what the forwarder needs."""

    def __init__(self, settings: Settings) -> None:
        self.own = create_service(
            settings,
            title="Gateway",
            prefix="/gateway/v1",
            routers=ROUTERS,
            resources=partial(_opened, settings),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.own(scope, receive, send)
            return
        forwarder: Forwarder = self.own.state.forwarder
        await forwarder(scope, receive, send)


def create_app(settings: Settings) -> Gateway:
    return Gateway(settings)


def from_environment() -> Gateway:
    """In each process of the server."""
    _end_with_parent()
    settings = Settings.read()
    configure_logging(settings)
    return create_app(settings)


def _end_with_parent() -> None:
    """A worker whose main process was killed would go on serving, and hold the port and a chain."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def serve(settings: Settings) -> None:
    """Until SIGTERM: then no connection is taken, and what is under way is answered."""
    Server(
        "gateway.main:from_environment",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MS),
        websockets=False,
        backlog=MOST_CONNECTIONS,
        backpressure=MOST_CONNECTIONS,
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=DRAIN_SECONDS,
    ).serve()


@asynccontextmanager
async def _opened(settings: Settings, app: FastAPI) -> AsyncIterator[None]:
    addresses = {
        Service.IDENTITY: settings.identity_url,
        Service.DOSSIER: settings.dossier_url,
        Service.SYNC: settings.sync_url,
    }
    seal_key = read_private_key("ledger_key", settings.ledger_key)
    trusted = ledger_keys(seal_key.public_key(), settings.ledger_keys_retired)
    signer = RightsSigner(read_private_key("rights_key", settings.rights_key))
    rights, ledger = Rights(), LedgerWriter(settings.database, seal_key)
    feed = RightsFeed(rights, settings.database)
    app.state.right_keys, app.state.ledger_keys = signer.key_set, trusted
    app.state.ledger_key_set = ledger_key_set(trusted)
    async with open_client() as http, _asking(app) as self_http, open_session() as session:
        tokens = Verifier(
            KeySet(http, f"{settings.identity_url}/.well-known/jwks.json"),
            issuer=settings.issuer,
            audience=AUDIENCE,
        )
        own_right = Verifier(
            KeySet(self_http, "/.well-known/right-keys.json"),
            issuer=RIGHTS_ISSUER,
            audience=settings.name,
        )
        app.state.callers = CallerCheck(tokens, own_right)
        app.state.description = ApiDescription(http, addresses, app.openapi())
        app.state.checks |= {"rights": rights.check_loaded, "chain": ledger.check_held}
        app.state.reports = {"rights_fresh": feed.check_fresh, **_states(http, addresses)}
        admit = Admission(
            tokens=tokens, rights=rights, quotas=Quotas(), ledger=ledger, signer=signer
        )
        app.state.forwarder = Forwarder(
            {service: Upstream(service, address) for service, address in addresses.items()},
            session,
            admit=admit,
            ledger=ledger,
            own=OwnOperations(app, admit=admit, ledger=ledger),
        )
        async with _beside(ledger.write(), feed.follow()):
            yield
            await ledger.drain()


def _asking(app: FastAPI) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    """To its own routes the gateway is a service like any other, which asks for the keys."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


def _states(http: httpx.AsyncClient, addresses: Mapping[Service, str]) -> dict[str, Check]:
    async def answers(address: str) -> None:
        response = await http.get(f"{address}/healthz", timeout=ANSWER_SECONDS)
        response.raise_for_status()

    return {service: partial(answers, address) for service, address in addresses.items()}


@asynccontextmanager
async def _beside(*parts: Coroutine[None, None, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
