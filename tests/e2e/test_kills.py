"""Processes are killed with -9 while dossiers are filed: nothing answered is lost or doubled."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from uuid import uuid4

import httpx
import pytest

from tests.e2e.conftest import Mesh, sign_in
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SEED = 20_261_122
FILED, AT_ONCE = 150, 6
VICTIMS = (
    "gateway-serve",
    "dossier-serve",
    "dossier-work",
    "sync-work",
    "broker",
    "gateway-serve",
    "dossier-work",
)
TRIES = 300


async def test_nothing_is_lost_or_doubled_when_processes_are_killed(mesh: Mesh) -> None:
    async with httpx.AsyncClient(base_url=mesh.gateway, timeout=15) as http:
        headers = await sign_in(mesh, http)
        before = await _count(http, headers)
        received = await _received(http, headers)
        killing = asyncio.create_task(_kill(mesh))
        filing = asyncio.Semaphore(AT_ONCE)
        codes = await asyncio.gather(*(_file(http, headers, n, filing) for n in range(FILED)))
        await killing

        assert len(set(codes)) == FILED, "two filings were answered with one dossier"
        assert await _count(http, headers) == before + FILED, "a filing took effect twice"
        for code in codes:
            await eventually(partial(_is_seen, http, headers, code), within=60)
        assert await _received(http, headers) == received + FILED, "an event took effect twice"
        auditor = await sign_in(mesh, http, "auditor-g22")
        for code in random.Random(SEED).sample(codes, 20):
            looks = await http.get("/ledger/v1/records", params={"dossier": code}, headers=auditor)
            assert looks.raise_for_status().json()["items"], "an answered filing is not on record"
    await eventually(partial(_is_whole, mesh), within=60)
    checked = mesh.run("deploy.local", "as", "gateway", sys.executable, "-m", "gateway.verify")
    assert checked.returncode == 0, checked.stdout + checked.stderr


async def _is_whole(mesh: Mesh) -> bool:
    status = await asyncio.to_thread(mesh.run, "deploy.local", "status")
    return status.returncode == 0


async def _received(http: httpx.AsyncClient, headers: dict[str, str]) -> int:
    path = "/sync/v1/indicators/received_by_channel"
    query = {"agency": "H26", "period": f"{datetime.now(UTC):%Y}"}
    answer = await http.get(path, params=query, headers=headers)
    received: int = answer.raise_for_status().json()["counts"]["total"]
    return received


async def _file(
    http: httpx.AsyncClient, headers: dict[str, str], number: int, at_once: asyncio.Semaphore
) -> str:
    """As a client should: the same request with the same key until it is answered."""
    body = {
        "procedure": "1.001193",
        "channel": 1,
        "applicant": {"kind": 1, "name": "Nguyễn Văn An", "personal_number": "001090000001"},
        "received_by": f"H26.{101 + number % 10}",
        "decided_by": "H26.101",
        "documents": [],
    }
    once = headers | {"Idempotency-Key": str(uuid4())}
    async with at_once:
        for _ in range(TRIES):
            try:
                answer = await http.post("/dossier/v1/dossiers", json=body, headers=once)
            except httpx.TransportError:
                await asyncio.sleep(0.2)
                continue
            if answer.status_code == HTTPStatus.CREATED:
                code: str = answer.json()["code"]
                return code
            assert answer.is_server_error, answer.text
            await asyncio.sleep(0.2)
    raise AssertionError("never answered")


async def _kill(mesh: Mesh) -> None:
    """One after the other, each when the one before runs again."""
    chance = random.Random(SEED)
    for name in VICTIMS:
        await asyncio.sleep(chance.uniform(0.2, 0.8))
        killed = mesh.record().children[name]
        os.kill(killed.pid, signal.SIGKILL)
        await eventually(partial(_is_replaced, mesh, name, killed.pid), within=60)


def _is_replaced(mesh: Mesh, name: str, pid: int) -> bool:
    child = mesh.record().children.get(name)
    return child is not None and child.pid != pid


async def _count(http: httpx.AsyncClient, headers: dict[str, str]) -> int:
    count, after = 0, None
    while True:
        query = {"limit": 500} | ({"after": after} if after else {})
        page = await http.get("/dossier/v1/dossiers", params=query, headers=headers)
        items: Sequence[object] = page.raise_for_status().json()["items"]
        count, after = count + len(items), page.json()["next"]
        if not after:
            return count


async def _is_seen(http: httpx.AsyncClient, headers: dict[str, str], code: str) -> bool:
    return (await http.get(f"/sync/v1/dossiers/{code}", headers=headers)).is_success
