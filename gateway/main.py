"""Compose the HTTP process of the gateway: the forwarder, and the local routes it falls back to."""

import asyncio
import ctypes
import gc
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server
from opentelemetry.trace import get_tracer
from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.access import routes as key_routes
from gateway.access.assertion import RightsSigner
from gateway.access.authorization import Authorizer
from gateway.access.callers.client_address import TrustedProxies
from gateway.access.callers.connection_limit import ConnectionLimit
from gateway.access.grant_refresh import GrantCacheRefresher
from gateway.access.grant_rules import require_complete_grant_rules
from gateway.access.grants import GrantCache
from gateway.access.rate_limits import Quotas
from gateway.api_docs import routes as page_routes
from gateway.api_docs.openapi import ApiDescription
from gateway.http1.pool import open_pool
from gateway.ledger import routes as ledger_routes
from gateway.ledger.chain.keys import build_ledger_jwks, list_trusted_keys
from gateway.ledger.writer import LedgerWriter
from gateway.operations.model import KIB, Service
from gateway.proxy.answer_headers import AnswerHeaders
from gateway.proxy.forwarder import Forwarder
from gateway.proxy.local_routes import LocalDispatcher
from gateway.proxy.upstream import Upstream
from gateway.purposes import routes as purpose_routes
from gateway.purposes.legal_bases import read_legal_bases
from gateway.purposes.registry import PurposeRegistry
from gateway.settings import Settings
from shared.crypto.ed25519 import read_private_key
from shared.observability.logging import configure_logging
from shared.runtime.app import AUDIENCE, Check, create_service, freeze_gc
from shared.web.calls.auth import RIGHTS_ISSUER, CallerCheck, KeySet, Verifier
from shared.web.http_client import open_client

log = structlog.get_logger()

ROUTERS = (ledger_routes.router, purpose_routes.router, key_routes.router, page_routes.router)
DRAIN_S = 10
PR_SET_PDEATHSIG = 1  # an option of prctl(2)
ANSWER_S = 1.0
HEADER_MS = 10_000
HEADER_BYTES = 64 * KIB
BACKLOG = 2_048
# Each idle connection of a caller costs about 10 KiB and one file descriptor.
MAX_CONNECTIONS, RESERVED_FILES = 8_192, 1_024
OBJECTS_BETWEEN_COLLECTIONS = 10_000


class Gateway:
    """The ASGI application; the lifespan of the local routes opens all resources."""

    def __init__(self, settings: Settings) -> None:
        require_complete_grant_rules()
        self.local_app = create_service(
            settings,
            title="Gateway",
            prefix="/gateway/v1",
            routers=ROUTERS,
            resources=partial(_gateway_resources, settings),
            examples=Path(__file__).with_name("examples.yaml"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.local_app(scope, receive, send)
            return
        entrance: ASGIApp = self.local_app.state.entrance
        await entrance(scope, receive, send)


def create_app(settings: Settings) -> Gateway:
    return Gateway(settings)


def create_app_from_environment() -> Gateway:
    """Create the application in each process of the server."""
    _end_with_parent_process()
    settings = Settings.read()
    configure_logging(settings)
    gateway = create_app(settings)
    freeze_gc(gateway.local_app)
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    return gateway


def _end_with_parent_process() -> None:
    """End this process when its parent process ends.

    An orphaned worker would go on serving, and would hold the port and a chain of the ledger.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent and os.getppid() != parent.pid:
        # The parent ended before the call of prctl.
        os._exit(1)


def limit_connections() -> int:
    """Return the largest number of connections that are accepted at once.

    Raise the soft limit of open files as far as the hard limit allows.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    required = MAX_CONNECTIONS + RESERVED_FILES
    files = required if hard == resource.RLIM_INFINITY else min(hard, required)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return max(files - RESERVED_FILES, files // 2)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM.

    Then accept no further connection and answer the calls that are under way.
    """
    Server(
        "gateway.main:create_app_from_environment",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=1,  # scale by replicas
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MS, max_buffer_size=HEADER_BYTES),
        websockets=False,
        backlog=BACKLOG,
        backpressure=limit_connections(),
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=DRAIN_S,
    ).serve()


@asynccontextmanager
async def _gateway_resources(settings: Settings, app: FastAPI) -> AsyncIterator[None]:
    addresses = {service: address for service, (address, _) in _list_services(settings).items()}
    signer, seal_key = _read_signing_keys(settings, app)
    rights, ledger = GrantCache(), LedgerWriter(settings.database, seal_key)
    purposes = PurposeRegistry(read_legal_bases())
    feed = GrantCacheRefresher(rights, purposes, settings.database)
    app.state.checks |= {"rights": rights.check_complete, "chain": ledger.check_chain_held}
    proxies, quotas = TrustedProxies(settings.trusted_proxies), Quotas()
    async with open_client() as http, _local_client(app) as self_http, open_pool() as pool:
        app.state.callers = CallerCheck(_build_rights_verifier(settings, self_http))
        app.state.description = ApiDescription(http, addresses, app.openapi())
        reports = {"rights_fresh": feed.check_fresh, "catalogue_complete": purposes.check_complete}
        app.state.reports = reports | _upstream_checks(http, addresses)
        admit = Authorizer(
            tokens=_build_token_verifier(settings, http),
            rights=rights,
            purposes=purposes,
            quotas=quotas,
            ledger=ledger,
            signer=signer,
            trusted_proxies=proxies,
        )
        app.state.forwarder = Forwarder(
            _build_service_upstreams(settings),
            pool,
            admit=admit,
            ledger=ledger,
            local_routes=LocalDispatcher(
                app, admit=admit, ledger=ledger, trusted_proxies=proxies, quotas=quotas
            ),
            tracer=get_tracer(settings.name) if settings.tracing_endpoint else None,
        )
        limit = ConnectionLimit(settings.port, limit_connections(), is_exempt=proxies.is_trusted)
        app.state.entrance = AnswerHeaders(limit.wrap_application(app.state.forwarder))
        with limit.watch_open_connections():
            async with _background_tasks(ledger.write(), ledger.sum_calls(), feed.follow_changes()):
                yield
                await app.state.forwarder.drain()
                await ledger.drain()


def _list_services(settings: Settings) -> Mapping[Service, tuple[str, SecretStr]]:
    """Return the address of each service, and the key that proves calls to it."""
    return {
        Service.IDENTITY: (settings.identity_url, settings.identity_call_key),
        Service.DOSSIER: (settings.dossier_url, settings.dossier_call_key),
        Service.SYNC: (settings.sync_url, settings.sync_call_key),
    }


def _build_service_upstreams(settings: Settings) -> Mapping[Service, Upstream]:
    return {
        service: Upstream(
            service,
            address,
            call_key=key.get_secret_value().encode(),
            client_share=settings.client_share,
        )
        for service, (address, key) in _list_services(settings).items()
    }


def _read_signing_keys(settings: Settings, app: FastAPI) -> tuple[RightsSigner, Ed25519PrivateKey]:
    """Return the signer of rights and the key of the ledger; publish their public keys."""
    seal_key = read_private_key("ledger_key", settings.ledger_key)
    signer = RightsSigner(read_private_key("rights_key", settings.rights_key))
    trusted = list_trusted_keys(seal_key.public_key(), settings.ledger_keys_retired)
    app.state.right_keys, app.state.ledger_keys = signer.key_set, trusted
    app.state.ledger_key_set = build_ledger_jwks(trusted)
    return signer, seal_key


def _build_token_verifier(settings: Settings, http: httpx.AsyncClient) -> Verifier:
    keys = KeySet(http, f"{settings.identity_url}/.well-known/jwks.json")
    return Verifier(keys, issuer=settings.issuer, audience=AUDIENCE)


def _build_rights_verifier(settings: Settings, self_http: httpx.AsyncClient) -> Verifier:
    keys = KeySet(self_http, "/.well-known/right-keys.json")
    return Verifier(keys, issuer=RIGHTS_ISSUER, audience=settings.name)


def _local_client(app: FastAPI) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    """Return a client of the local routes, from which the gateway reads its own published keys."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


def _upstream_checks(http: httpx.AsyncClient, addresses: Mapping[Service, str]) -> dict[str, Check]:
    async def answers(address: str) -> None:
        response = await http.get(f"{address}/healthz", timeout=ANSWER_S)
        response.raise_for_status()

    return {service: partial(answers, address) for service, address in addresses.items()}


@asynccontextmanager
async def _background_tasks(*parts: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run the parts, which end only by an error, until the body ends."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_end_process_after(part)) for part in parts]
        yield
        for task in tasks:
            task.cancel()


async def _end_process_after(part: Coroutine[None, None, None]) -> None:
    """Drain and end this process if the part fails; the server starts another one."""
    try:
        await part
    except Exception as error:  # noqa: BLE001 -- without the part no call may be answered
        log.critical("background_part_failed", error=type(error).__name__)
        signal.raise_signal(signal.SIGTERM)
