"""The gateway as it is run: `python -m gateway serve`, behind a socket of its own."""

import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx
from pydantic import SecretStr

from deploy.dev_stack.stack import ROOT
from deploy.ports import free_port
from deploy.process import Child
from gateway.handlers import HANDLERS
from gateway.settings import Settings
from shared.database.engine import open_database
from shared.events import Event, GrantChanged
from tests.support.complete_rights import note_rights_complete
from tests.support.factories import TestAuthority
from tests.support.gateway_harness import (
    PURPOSE,
    make_client,
    make_grant,
    make_settings,
)
from tests.support.waiting import eventually

STARTS_WITHIN = ENDS_WITHIN = 120.0


class Behind(Protocol):
    """Where the services are, and who signs the tokens."""

    authority: TestAuthority
    address: str


@dataclass
class Process:
    port: int
    child: Child
    authority: TestAuthority

    @property
    def headers(self) -> dict[str, str]:
        """Of one client that may verify, list and read; signed anew, for the next five minutes."""
        return {"Authorization": f"Bearer {self.authority.token()}", **PURPOSE}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.child.process_id
        return self.child.process_id.pid

    async def ended(self) -> int:
        """How it ended, of itself."""
        await eventually(lambda: not self.child.is_running, within=ENDS_WITHIN)
        assert self.child.exit_code is not None
        return self.child.exit_code


@asynccontextmanager
async def gateway_process(
    database_url: str, services: Behind, folder: Path, *, grant: GrantChanged | None = None
) -> AsyncIterator[Process]:
    settings = make_settings(database_url, services.address, port=free_port())
    await tell(settings, make_client(), grant or make_grant())
    child = gateway_child(settings, folder / "gateway.log")
    gateway = Process(settings.port, child, services.authority)
    try:
        child.start()
        await until_ready(gateway.url)
        yield gateway
        child.ask_to_stop()
        assert await gateway.ended() in {0, -signal.SIGKILL}
    finally:
        child.stop(0)


def gateway_child(settings: Settings, log: Path) -> Child:
    """Its environment says these settings, and nothing else."""
    told = settings.model_dump(exclude={"name"}, exclude_none=True)
    secrets = {
        name: value.get_secret_value()
        for name, value in told.items()
        if isinstance(value, SecretStr)
    }
    return Child(
        "gateway",
        [sys.executable, "-m", "gateway", "serve"],
        log=log,
        cwd=ROOT,
        env={name.upper(): str(value) for name, value in (told | secrets).items()},
    )


async def tell(settings: Settings, *events: Event) -> None:
    """As its worker does."""
    async with open_database(settings) as sessions, sessions.begin() as session:
        for event in events:
            await HANDLERS[type(event)][0].apply(session, [event])
        await note_rights_complete(session)


async def until_ready(url: str) -> None:
    await eventually(lambda: is_ready(url), within=STARTS_WITHIN)


async def is_ready(url: str) -> bool:
    async with httpx.AsyncClient() as http:
        try:
            return (await http.get(f"{url}/readyz")).is_success
        except httpx.HTTPError:
            return False
