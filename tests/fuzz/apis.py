"""The mesh on sockets: the services in a thread of their own, the gateway as it runs elsewhere."""

import asyncio
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx
from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.oauth import sign_in
from deploy.process import running
from deploy.run_sync import run_apart
from identity_service.sandbox.clients import read_secrets
from shared.database.engine import open_database
from shared.messaging.dead_letters import Rejected, store_dead_letters
from shared.runtime.operator_routes import list_dead_letters
from shared.settings import ServiceSettings
from shared.web.calls.call_mac import CLIENT as CLIENT_HEADER
from shared.web.calls.call_mac import (
    HEADER,
    NO_BODY,
    CallParts,
    CallVerifier,
    hash_body,
    read_target,
    sign_call,
)
from shared.web.calls.internal_headers import RIGHT_HEADER
from tests.conftest import Databases
from tests.dossier_service.desk import COPY
from tests.gateway.process import gateway_child, tell, until_ready
from tests.shared.event_flow import agency, record
from tests.support.factories import TestAuthority
from tests.support.gateway_harness import make_client, make_grant, make_settings, signing_rights
from tests.support.installation import Installation, install
from tests.support.waiting import eventually_sync

CLIENT, AGENCY = "operator-vpcp", "G22"
STARTS_WITHIN = 120.0
# A token lives for ten minutes; nobody asks with one that ends while the answer is on its way.
TOKEN_S = 300.0
MANY = 1_000_000


@dataclass
class Apis:
    """Addresses by the short names of the services, and what proves a caller to each of them."""

    addresses: Mapping[str, str]
    secret: str
    authority: TestAuthority
    settings: Mapping[str, ServiceSettings]
    known: set[bytes]
    _signed_in: dict[str, str] = field(default_factory=dict)
    _signed_in_until: float = 0.0

    def signed_in(self) -> dict[str, str]:
        if time.monotonic() > self._signed_in_until:
            self._signed_in = sign_in(self.addresses["identity"], CLIENT, self.secret)
            self.known.add(self._signed_in["Authorization"].encode())
            self._signed_in_until = time.monotonic() + TOKEN_S
        return self._signed_in

    def set_aside(self, service: str, count: int) -> list[str]:
        """Messages that a consumer of the service could not handle: their ids."""
        return run_apart(_set_aside(self.settings[service], count))

    def headers(self, service: str, operation: str) -> dict[str, str]:
        """Of one call: to the gateway with purpose and officer, to a service with its right.

        What stands before each service takes the same tokens, and proves the call in turn.
        """
        if operation == "POST /oauth/token":
            request = httpx.Request("POST", self.addresses[service])
            signed_in = next(httpx.BasicAuth(CLIENT, self.secret).auth_flow(request))
            return {"Authorization": signed_in.headers["Authorization"]}
        headers = {**self.signed_in()}
        if service == "gateway":
            return headers
        right = self.authority.right(CLIENT, operation, f"{service}_service")
        # The gateway describes the header itself; a service gets what its own things are for.
        return headers | {RIGHT_HEADER: right, "X-Purpose": COPY}


@contextmanager
def open_apis(postgres: Databases, folder: Path) -> Iterator[Apis]:
    made = install(postgres, folder / "sandbox.json")
    apps, urls = made.services, made.urls
    settings = make_settings(
        postgres.migrated_url("gateway"), port=made.ports["gateway"], **made.behind
    )
    # One client may do everything, and often.
    everything = make_grant(CLIENT, operations=["*"], agencies=None, per_second=MANY)
    run_apart(tell(settings, make_client(CLIENT, AGENCY), everything))
    own = {"gateway": settings, **{name: app.state.settings for name, app in apps.items()}}
    known: set[bytes] = set()
    with _served(made, known), running(gateway_child(settings, folder / "gateway.log")):
        run_apart(until_ready(urls["gateway"]))
        secret = read_secrets(folder / "sandbox.json")[CLIENT]
        yield Apis(urls, secret, TestAuthority(right=signing_rights(settings)), own, known)


async def _set_aside(settings: ServiceSettings, count: int) -> list[str]:
    async with open_database(settings) as sessions, sessions.begin() as session:
        records = (record(agency(f"H26.{number}")) for number in range(count))
        await store_dead_letters(session, [Rejected(each, ValueError()) for each in records])
        return [str(each.id) for each in await list_dead_letters(session, "open")]


def _before(app: FastAPI, known: Collection[bytes]) -> ASGIApp:
    """Stand before a service as the gateway does; what the gateway itself has proved passes."""
    calls: CallVerifier = app.state.calls

    async def ask(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or HEADER in dict(scope["headers"]):
            await app(scope, receive, send)
            return
        headers = [each for each in scope["headers"] if each[0] not in {CLIENT_HEADER, b"x-agency"}]
        if dict(headers).get(b"authorization") in known:
            headers += [(CLIENT_HEADER, CLIENT.encode()), (b"x-agency", AGENCY.encode())]
        body = await Request(scope, receive).body()
        described = hash_body(body) if body else NO_BODY
        call = CallParts(scope["method"], read_target(scope), uuid4().hex.encode(), described)
        value, _ = sign_call(calls._key, call, headers, calls.epoch.encode())
        await app(
            {**scope, "headers": [*headers, (HEADER, value)]}, BufferedBody(body, receive), send
        )

    return ask


@dataclass
class BufferedBody:
    body: bytes
    rest: Receive
    given: bool = False

    async def __call__(self) -> Message:
        if self.given:
            return await self.rest()
        self.given = True
        return {"type": "http.request", "body": self.body, "more_body": False}


@contextmanager
def _served(made: Installation, known: Collection[bytes]) -> Iterator[None]:
    """In one thread: the fuzzer is not asynchronous, and keeps its own busy."""
    started, ended = threading.Event(), threading.Event()

    async def serve() -> None:
        async with made.serving(lambda app: _before(app, known)):
            started.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    try:
        eventually_sync(lambda: started.is_set() or not thread.is_alive(), STARTS_WITHIN)
        assert started.is_set()
        yield
    finally:
        ended.set()
        thread.join(STARTS_WITHIN)
