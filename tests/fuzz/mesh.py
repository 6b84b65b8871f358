"""The mesh on sockets: the services in a thread of their own, the gateway as it runs elsewhere."""

import asyncio
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from deploy.apart import run_apart
from deploy.child import Child, running
from deploy.ports import free_port
from deploy.secrets import ed25519_key
from dossier_service.main import create_app as dossier_app
from gateway.handlers import HANDLERS
from gateway.keys import RightsSigner, read_private_key
from gateway.rights import RightInForce
from gateway.settings import Settings as GatewaySettings
from identity_service.main import create_app as identity_app
from identity_service.sandbox import read_secrets
from identity_service.seed import seed as seed_identity
from shared.database import open_database
from shared.dead_letters import list_dead_letters, set_aside
from shared.events import Event
from shared.migrations import upgrade
from shared.settings import ServiceSettings
from sync_service.main import create_app as sync_app
from sync_service.settings import Settings as SyncSettings
from tests.conftest import Databases
from tests.dossier_service.conftest import make_settings as dossier_settings
from tests.gateway.mesh import make_client, make_grant
from tests.identity_service.conftest import make_settings as identity_settings
from tests.shared.mechanics import agency, record
from tests.waiting import eventually, eventually_sync

ROOT = Path(__file__).parents[2]
CLIENT, AGENCY = "operator-vpcp", "G22"
STARTS_WITHIN = 60.0
# A token lives for ten minutes; nobody asks with one that ends while the answer is on its way.
TOKEN_SECONDS = 300.0
MANY = 1_000_000
LETTERS = 9


@dataclass
class Mesh:
    """Addresses by the short names of the services, and what proves a caller to each of them."""

    addresses: Mapping[str, str]
    secret: str
    signer: RightsSigner
    apps: Mapping[str, FastAPI]
    letters: Mapping[str, Sequence[str]]
    _token: str = ""
    _token_until: float = 0.0
    _rights: dict[str, RightInForce] = field(default_factory=dict)

    def token(self) -> str:
        if time.monotonic() > self._token_until:
            form = {"grant_type": "client_credentials"}
            answer = httpx.post(
                f"{self.addresses['identity']}/oauth/token", data=form, auth=(CLIENT, self.secret)
            )
            self._token = answer.raise_for_status().json()["access_token"]
            self._token_until = time.monotonic() + TOKEN_SECONDS
        return self._token

    def headers(self, service: str, operation: str) -> dict[str, str]:
        """Of one call: to the gateway with purpose and officer, to a service with its right."""
        if operation == "POST /oauth/token":
            request = httpx.Request("POST", self.addresses[service])
            signed_in = next(httpx.BasicAuth(CLIENT, self.secret).auth_flow(request))
            return {"Authorization": signed_in.headers["Authorization"]}
        headers = {"Authorization": f"Bearer {self.token()}"}
        if service == "gateway":
            return headers
        right = self._rights.setdefault(operation, _whole_right())
        signed = self.signer.assertion(
            right,
            client=CLIENT,
            operation=operation,
            audience=f"{service}_service",
            now=time.time(),
        )
        return headers | {"X-Right": signed}


def known(letters: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """What the mesh holds, by where a request names it; of the client who asks, nothing."""
    clients = ["onestop-h26", "onestop-h01"]
    return {
        "header.if-match": ['"1"', '"2"', '"3"'],
        "path.client_id": clients,
        "body.client_id": clients,
        "body.agency": ["H26", "H01"],
        "body.kid": ["signing-1", "signing-2"],
        "path.kid": ["signing-1", "signing-2"],
        "path.letter_id": letters,
    }


def _whole_right() -> RightInForce:
    return RightInForce(
        grants=("all",),
        procedures=None,
        fields=None,
        agencies=None,
        ends=float("inf"),
        per_second=None,
        per_day=None,
    )


@contextmanager
def open_mesh(postgres: Databases, folder: Path) -> Iterator[Mesh]:
    ports = {name: free_port() for name in ("identity", "dossier", "sync", "gateway")}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    apps = _apps(postgres, urls, folder / "sandbox.json")
    settings = _gateway_settings(postgres, urls)
    own = {"gateway": settings, **{name: app.state.settings for name, app in apps.items()}}
    letters: dict[str, list[str]] = {name: [] for name in own}
    for name, each in own.items():
        run_apart(_set_aside(each, letters[name]))
    gateway = _gateway(settings, folder / "gateway.log")
    with _served(apps, ports), running(gateway):
        with httpx.Client(base_url=urls["gateway"]) as ready:
            gateway.wait_until(lambda: _is_ready(ready), STARTS_WITHIN)
        secret = read_secrets(folder / "sandbox.json")[CLIENT]
        signer = RightsSigner(read_private_key("rights_key", settings.rights_key))
        yield Mesh(urls, secret, signer, apps, letters)


def _apps(postgres: Databases, urls: Mapping[str, str], sandbox: Path) -> Mapping[str, FastAPI]:
    """Of databases that hold what a new installation begins with."""
    near = {"identity_url": urls["identity"], "gateway_url": urls["gateway"]}
    identity = identity_settings(
        postgres.database_url("identity_service"), sandbox_file=sandbox, **near
    )
    dossier = dossier_settings(postgres).model_copy(update=near)
    sync = SyncSettings.model_validate(
        {"database_url": postgres.database_url("sync_service"), "kafka_servers": "127.0.0.1:1"}
        | near
    )
    upgrade(identity)
    upgrade(sync)
    run_apart(seed_identity(identity))
    return {
        "identity": identity_app(identity),
        "dossier": dossier_app(dossier),
        "sync": sync_app(sync),
    }


def _gateway_settings(postgres: Databases, urls: Mapping[str, str]) -> GatewaySettings:
    """Of a database in which one client may do everything, and often."""
    settings = GatewaySettings.model_validate(
        {
            "database_url": postgres.database_url("gateway"),
            "kafka_servers": "127.0.0.1:1",
            "port": int(urls["gateway"].rpartition(":")[2]),
            "rights_key": ed25519_key(),
            "ledger_key": ed25519_key(),
        }
        | {f"{name}_url": url for name, url in urls.items()}
    )
    upgrade(settings)
    everything = make_grant(CLIENT, operations=["*"], agencies=None, per_second=MANY)
    run_apart(_tell(settings, make_client(CLIENT, AGENCY), everything))
    return settings


def _gateway(settings: GatewaySettings, log: Path) -> Child:
    told = settings.model_dump(exclude={"name"}, exclude_none=True)
    secrets = {
        name: value.get_secret_value()
        for name, value in told.items()
        if isinstance(value, SecretStr)
    }
    return Child(
        "gateway",
        [sys.executable, "-m", "shared", "gateway", "serve"],
        log=log,
        cwd=ROOT,
        env={name.upper(): str(value) for name, value in (told | secrets).items()},
    )


async def _tell(settings: GatewaySettings, *events: Event) -> None:
    async with open_database(settings) as sessions, sessions.begin() as session:
        for event in events:
            await HANDLERS[type(event)][0](session, [event])


async def _set_aside(settings: ServiceSettings, letters: list[str]) -> None:
    """Messages that a consumer of the service could not handle; their ids go into `letters`."""
    async with open_database(settings) as sessions, sessions.begin() as session:
        for number in range(LETTERS):
            await set_aside(session, record(agency(f"H26.{number}")), ValueError())
        letters += [str(each.id) for each in await list_dead_letters(session, "open")]


@contextmanager
def _served(apps: Mapping[str, FastAPI], ports: Mapping[str, int]) -> Iterator[None]:
    """In one thread: the fuzzer is not asynchronous, and keeps its own busy."""
    started, ended = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=lambda: asyncio.run(_serve(apps, ports, started, ended)), daemon=True
    )
    thread.start()
    try:
        eventually_sync(lambda: started.is_set() or not thread.is_alive(), STARTS_WITHIN)
        assert started.is_set()
        yield
    finally:
        ended.set()
        thread.join(STARTS_WITHIN)


async def _serve(
    apps: Mapping[str, FastAPI],
    ports: Mapping[str, int],
    started: threading.Event,
    ended: threading.Event,
) -> None:
    async with AsyncExitStack() as stack:
        for name, app in apps.items():
            await stack.enter_async_context(app.router.lifespan_context(app))
            config = uvicorn.Config(
                app,
                port=ports[name],
                lifespan="off",
                loop="none",
                log_config=None,
                access_log=False,
                server_header=False,
            )
            server = uvicorn.Server(config)
            task = asyncio.create_task(server.serve())
            stack.push_async_callback(_stop, server, task)
            await eventually(partial(getattr, server, "started"))
        started.set()
        await asyncio.to_thread(ended.wait)


async def _stop(server: uvicorn.Server, task: "asyncio.Task[None]") -> None:
    server.should_exit = server.force_exit = True
    await task


def _is_ready(http: httpx.Client) -> bool:
    try:
        return http.get("/readyz").is_success
    except httpx.TransportError:
        return False
