"""A whole gateway for tests: real database, real sockets to a stand-in for the services behind."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from deploy.postgres import plain_url
from deploy.secrets import ed25519_key
from gateway.access.assertion import RightsSigner
from gateway.access.authorization import Authorizer
from gateway.handlers import HANDLERS
from gateway.main import Gateway, create_app
from gateway.operations.table import OPERATIONS
from gateway.settings import Settings
from shared.crypto.ed25519 import read_private_key
from shared.database.session import SessionFactory
from shared.events import AgencyChanged, ClientChanged, GrantChanged, ProcedurePublished
from tests.conftest import Databases
from tests.support.complete_rights import note_rights_complete
from tests.support.event_keys import key_text
from tests.support.factories import CALL_KEY, DIGEST_KEY, TestAuthority
from tests.support.fake_upstream import SUBJECT
from tests.support.serving import serving
from tests.support.waiting import PATIENCE_S, eventually

VERIFY = "POST /identity/v1/verifications"
FILE = "POST /dossier/v1/dossiers"
LIST = "GET /dossier/v1/dossiers"
READ = "GET /dossier/v1/dossiers/{code}"
LEDGER = [name for name in OPERATIONS if "/ledger/v1/" in name]
PURPOSE = {"X-Purpose": "1.001193", "X-Officer": "officer-1"}
CALL_KEYS = ("identity_call_key", "dossier_call_key", "sync_call_key")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass
class Services:
    """Identity, dossier and sync in one: serves the keys of `authority`, answers as told."""

    authority: TestAuthority = field(default_factory=TestAuthority)
    answer: Callable[[], Response] = lambda: JSONResponse({}, headers={"X-Subject": SUBJECT})
    asked: list[Request] = field(default_factory=list)
    address: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/.well-known/jwks.json":
            keys = self.authority._keys(httpx.Request("GET", "http://identity/"))
            await JSONResponse(keys.json())(scope, receive, send)
            return
        request = Request(scope, receive)
        await request.body()
        self.asked.append(request)
        await self.answer()(scope, receive, send)


def make_settings(database_url: str, services: str = "http://127.0.0.1:9", **over: Any) -> Settings:
    defaults: dict[str, Any] = {
        "kafka_servers": "127.0.0.1:9",
        "identity_url": services,
        "dossier_url": services,
        "sync_url": services,
        **dict.fromkeys(CALL_KEYS, CALL_KEY),
        "rights_key": ed25519_key(),
        "ledger_key": ed25519_key(),
        "digest_key": DIGEST_KEY,
        "event_key": key_text("gateway"),
    }
    return Settings(database_url=database_url, **(defaults | over))


def signing_rights(settings: Settings) -> tuple[str, Ed25519PrivateKey]:
    """The key of that gateway, and its id."""
    key = read_private_key("rights_key", settings.rights_key)
    return RightsSigner(key).kid, key


def make_grant(client: str = "onestop-h26", **over: Any) -> GrantChanged:
    defaults = {
        "grant_id": uuid4(),
        "client_id": client,
        "version": 1,
        "at": datetime.now(UTC),
        "operations": [VERIFY, LIST, READ],
        "procedures": None,
        "fields": None,
        "agencies": ["H26"],
        "valid_from": LONG_AGO,
        "valid_to": None,
        "legal_basis": "Nghị định 118/2025/NĐ-CP",
        "per_second": None,
        "per_day": None,
        "revoked": False,
    }
    return GrantChanged(**(defaults | over))


def make_client(client: str = "onestop-h26", agency: str = "H26", **over: Any) -> ClientChanged:
    defaults = {"version": 1, "at": datetime.now(UTC), "active": True}
    return ClientChanged(client_id=client, agency=agency, **(defaults | over))


def make_agency(code: str = "H26", **over: Any) -> AgencyChanged:
    defaults = {
        "version": 1,
        "at": datetime.now(UTC),
        "name": "UBND Thành phố Hà Nội",
        "level": "province",
        "parent": None,
        "valid_from": LONG_AGO.date(),
        "valid_to": None,
        "successor": None,
    }
    return AgencyChanged(code=code, **(defaults | over))


def make_procedure(code: str = "1.001193", **over: Any) -> ProcedurePublished:
    """The only one of its catalogue, unless `over` says otherwise."""
    defaults = {
        "version": 1,
        "at": datetime.now(UTC),
        "active": True,
        "owner": "G15",
        "levels": ["commune"],
        "term_duration": 3,
        "term_unit": "working_day",
        "term_same_day": False,
        "catalogue_size": 1,
    }
    return ProcedurePublished(code=code, **(defaults | over))


@dataclass
class Gate:
    """`ask` calls the gateway as `client` of `agency`, with purpose and officer."""

    gateway: Gateway
    services: Services
    settings: Settings
    http: httpx.AsyncClient
    names: int = 0

    @property
    def admission(self) -> Authorizer:
        admission: Authorizer = self.gateway.local_app.state.forwarder._admit
        return admission

    @property
    def authority(self) -> TestAuthority:
        return self.services.authority

    @property
    def sessions(self) -> SessionFactory:
        sessions: SessionFactory = self.gateway.local_app.state.sessions
        return sessions

    async def ask(
        self,
        operation: str,
        *,
        client: str = "onestop-h26",
        agency: str = "H26",
        headers: dict[str, str | None] | None = None,
        **rest: Any,
    ) -> httpx.Response:
        method, _, path = operation.partition(" ")
        token = {"Authorization": f"Bearer {self.authority.token(client, agency)}"}
        told = {**token, **PURPOSE, **(headers or {})}
        # As bytes: httpx would refuse or re-encode some of what a caller can send.
        sent = [(name.encode(), value.encode()) for name, value in told.items() if value]
        return await self.http.request(method, path, headers=sent, **rest)

    async def tell(
        self, *events: GrantChanged | ClientChanged | AgencyChanged | ProcedurePublished
    ) -> None:
        """As the worker does; returns when the gateway knows."""
        before = {name: self.rights_of(name) for name in _clients(events)}
        catalogue = self.catalogue
        async with self.sessions.begin() as session:
            for kind, handlers in HANDLERS.items():
                if told := [event for event in events if isinstance(event, kind)]:
                    await handlers[0].apply(session, told)
            await note_rights_complete(session)
        await eventually(lambda: all(self.rights_of(n) is not old for n, old in before.items()))
        await eventually(lambda: self.admission._rights.complete)
        if any(isinstance(event, ProcedurePublished) for event in events):
            await eventually(lambda: self.catalogue is not catalogue)

    async def is_ready(self) -> bool:
        return (await self.http.get("/readyz")).is_success

    @property
    def catalogue(self) -> object:
        """The procedures in memory; another object after each reading."""
        return self.admission._purposes._procedures

    def rights_of(self, client: str) -> object:
        return self.admission._rights.find_client_grants(client)

    async def newcomer(self, *grants: GrantChanged, agency: str = "H26") -> str:
        """A client of its own with these grants."""
        self.names += 1
        client = f"client-{self.names}"
        own = [grant.model_copy(update={"client_id": client}) for grant in grants]
        await self.tell(make_client(client, agency), *own)
        return client

    async def sums(self) -> list[dict[str, Any]]:
        """The records of calls without a client, as if the present minute were over."""
        ledger: Any = self.admission._ledger
        ledger.record_all_sums()
        told = [json.loads(row["record"]) for row in await self.records()]
        return [each for each in told if each["client"] is None]

    async def records(self, *, pending: bool = False, **where: Any) -> list[asyncpg.Record]:
        """The rows of the ledger, the oldest first, once all is written; or as it is, `pending`."""
        ledger: Any = self.admission._ledger
        if not pending:
            await asyncio.wait_for(ledger._idle.wait(), PATIENCE_S)
        conditions = " AND ".join(f"{name} = ${place}" for place, name in enumerate(where, 1))
        query = f"SELECT * FROM access_record WHERE {conditions or 'true'} ORDER BY {_ORDER}"
        connection = await asyncpg.connect(plain_url(self.settings.database_url))
        try:
            return list(await connection.fetch(query, *where.values()))
        finally:
            await connection.close()


_ORDER = "at, chain, number, index"


def _clients(events: Collection[Any]) -> set[str]:
    return {event.client_id for event in events if isinstance(event, GrantChanged | ClientChanged)}


@asynccontextmanager
async def open_services() -> AsyncIterator[Services]:
    services = Services()
    async with serving(services) as port:
        services.address = f"http://127.0.0.1:{port}"
        yield services


@asynccontextmanager
async def open_gate(
    database_url: str, services: Services, *, ready: bool = True, **over: Any
) -> AsyncIterator[Gate]:
    settings = make_settings(database_url, services.address, **over)
    gateway = create_app(settings)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            gateway.local_app.router.lifespan_context(gateway.local_app)
        )
        http = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(gateway), base_url="http://gateway")
        )
        gate = Gate(gateway, services, settings, http)
        if ready:
            # As in every installation somebody is known: a gateway that knows nobody is not ready.
            await gate.tell(make_client("somebody"))
            check: Callable[[], Awaitable[bool]] = gate.is_ready
            await eventually(check)
        yield gate


async def is_reported(gate: Gate, name: str, wanted: str) -> bool:
    told = (await gate.http.get("/readyz")).json()
    return bool({**told["checks"], **told["reports"]}[name] == wanted)


@asynccontextmanager
async def database_away(postgres: Databases, gate: Gate) -> AsyncIterator[None]:
    """This gateway's database alone: nobody gets in, and who was in is put out."""
    name = gate.settings.database.database
    admin = await asyncpg.connect(plain_url(postgres.server.url))
    try:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
        )
        yield
    finally:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await admin.close()
