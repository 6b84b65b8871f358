"""A new installation in this process: the services behind the gateway, each with its database."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

import dossier_service.main
import identity_service.main
import sync_service.main
from deploy.ports import free_port
from deploy.run_sync import run_apart
from deploy.secrets import call_key
from identity_service.seed import seed
from tests.conftest import Databases
from tests.dossier_service.conftest import make_settings as dossier_settings
from tests.identity_service.conftest import make_settings as identity_settings
from tests.support.serving import serving
from tests.sync_service.conftest import make_settings as sync_settings

BEHIND = ("identity", "dossier", "sync")
MAX_SENT = 1_000
NO_KEYS: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True)
class Sent:
    """One request as it reached a service, by its short name."""

    service: str
    scope: Scope

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        return dict(self.scope["headers"])


@dataclass
class Installation:
    """All by their short names: the services, and with the gateway where each of them will be.

    `sent` holds the latest requests that reached a service by its port.
    """

    services: Mapping[str, FastAPI]
    ports: Mapping[str, int]
    urls: Mapping[str, str]
    sent: deque[Sent] = field(default_factory=lambda: deque(maxlen=MAX_SENT))

    @property
    def behind(self) -> Mapping[str, Any]:
        """As the gateway's settings say where they are, and by which key it proves its calls."""
        keys = {f"{n}_call_key": each.state.settings.call_key for n, each in self.services.items()}
        return {f"{name}_url": self.urls[name] for name in self.services} | keys

    @asynccontextmanager
    async def serving(
        self, before: Callable[[FastAPI], ASGIApp] = lambda app: app
    ) -> AsyncIterator[None]:
        """`before` may put something in front of each service."""
        async with AsyncExitStack() as stack:
            for name, app in self.services.items():
                await stack.enter_async_context(app.router.lifespan_context(app))
                listening = self._listening(name, before(app))
                await stack.enter_async_context(serving(listening, self.ports[name]))
            yield

    def _listening(self, name: str, app: ASGIApp) -> ASGIApp:
        async def listen(scope: Scope, receive: Receive, send: Send) -> None:
            self.sent.append(Sent(name, scope))
            await app(scope, receive, send)

        return listen


def install(
    postgres: Databases, sandbox: Path | None, keys: Mapping[str, Mapping[str, Any]] = NO_KEYS
) -> Installation:
    """`keys` replace some of those that the settings have, by the short name of the service."""
    ports = {name: free_port() for name in (*BEHIND, "gateway")}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    near = {
        name: {"gateway_url": urls["gateway"], "call_key": call_key(), **keys.get(name, {})}
        for name in BEHIND
    }
    identity = identity_settings(
        postgres.migrated_url("identity_service"),
        people=0,
        sandbox_file=sandbox,
        # The metadata name the address that a library was given.
        issuer_aliases=urls["gateway"],
        **near["identity"],
    )
    run_apart(seed(identity))
    services = {
        "identity": identity_service.main.create_app(identity),
        "dossier": dossier_service.main.create_app(dossier_settings(postgres, **near["dossier"])),
        "sync": sync_service.main.create_app(sync_settings(postgres, **near["sync"])),
    }
    return Installation(services, ports, urls)
