"""A new installation in this process: the services behind the gateway, each with its database."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI

import dossier_service.main
import identity_service.main
import sync_service.main
from deploy.apart import run_apart
from deploy.ports import free_port
from identity_service.seed import seed
from shared.migrations import upgrade
from tests.conftest import Databases
from tests.dossier_service.conftest import make_settings as dossier_settings
from tests.identity_service.conftest import make_settings as identity_settings
from tests.serving import serving
from tests.sync_service.conftest import make_settings as sync_settings


@dataclass
class Installation:
    """All by their short names: the services, and with the gateway where each of them will be."""

    services: Mapping[str, FastAPI]
    ports: Mapping[str, int]
    urls: Mapping[str, str]

    @property
    def behind(self) -> Mapping[str, Any]:
        """As the gateway's settings say where they are."""
        return {f"{name}_url": self.urls[name] for name in self.services}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for name, app in self.services.items():
                await stack.enter_async_context(app.router.lifespan_context(app))
                await stack.enter_async_context(serving(app, self.ports[name]))
            yield


def install(postgres: Databases, sandbox: Path) -> Installation:
    ports = {name: free_port() for name in ("identity", "dossier", "sync", "gateway")}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    near = {"identity_url": urls["identity"], "gateway_url": urls["gateway"]}
    identity = identity_settings(
        postgres.database_url("identity_service"), people=0, sandbox_file=sandbox, **near
    )
    upgrade(identity)
    run_apart(seed(identity))
    services = {
        "identity": identity_service.main.create_app(identity),
        "dossier": dossier_service.main.create_app(dossier_settings(postgres, **near)),
        "sync": sync_service.main.create_app(sync_settings(postgres, **near)),
    }
    return Installation(services, ports, urls)
