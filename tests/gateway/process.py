"""The gateway as it is run: `python -m shared gateway serve`, behind a socket of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

from deploy.ports import free_port
from deploy.secrets import ed25519_key
from gateway import projections
from shared.database import open_database
from shared.events import GrantChanged
from shared.migrations import upgrade
from tests.factories import TestAuthority
from tests.gateway.mesh import PURPOSE, make_client, make_grant, make_settings
from tests.waiting import eventually

ENDS_WITHIN = 60.0


class Behind(Protocol):
    """Where the services are, and who signs the tokens."""

    authority: TestAuthority
    address: str


@dataclass
class Process:
    """`headers` are those of one client that may verify, list and read; `log` is its output."""

    port: int
    process: asyncio.subprocess.Process
    headers: dict[str, str]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def gateway_process(
    database_url: str, services: Behind, folder: Path, *, grant: GrantChanged | None = None
) -> AsyncIterator[Process]:
    await _prepare(database_url, grant or make_grant())
    for name in ("rights_key", "ledger_key"):
        (folder / name).write_text(ed25519_key())
    port, log = free_port(), folder / "gateway.log"
    environment = {
        "DATABASE_URL": database_url,
        "KAFKA_SERVERS": "127.0.0.1:9",
        "SECRETS_DIR": str(folder),
        "PORT": str(port),
        **{f"{name}_URL": services.address for name in ("IDENTITY", "DOSSIER", "SYNC")},
    }
    command = [sys.executable, "-m", "shared", "gateway", "serve"]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, env={**os.environ, **environment}, stdout=output, stderr=output
        )
    token = services.authority.token()
    headers = {"Authorization": f"Bearer {token}", **PURPOSE}
    gateway = Process(port, process, headers, log)
    try:
        await eventually(lambda: is_ready(gateway.url), within=60)
        yield gateway
    finally:
        assert await _ended(process) in {0, -signal.SIGKILL}


async def _ended(process: asyncio.subprocess.Process) -> int:
    """How it ended: well, where it was not killed before; one that does not end is killed."""
    if process.returncode is None:
        process.terminate()
    try:
        return await asyncio.wait_for(process.wait(), ENDS_WITHIN)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise


async def _prepare(database_url: str, grant: GrantChanged) -> None:
    settings = make_settings(database_url)
    await asyncio.to_thread(upgrade, settings)
    async with open_database(settings) as sessions, sessions.begin() as session:
        await projections.keep_clients(session, [make_client()])
        await projections.keep_grants(session, [grant])


async def is_ready(url: str) -> bool:
    async with httpx.AsyncClient() as http:
        try:
            return (await http.get(f"{url}/readyz")).is_success
        except httpx.HTTPError:
            return False
