"""Pushes that wait for each other leave the connections of the pool to others."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import text

from shared.database import engine
from shared.database.locks import NATIONAL_STRIPE
from sync_service.intake import push_limiter
from sync_service.national_view.repository.states import STRIPES
from sync_service.settings import Settings
from tests.conftest import Databases
from tests.support.factories import TestAuthority
from tests.support.waiting import eventually
from tests.sync_service.conftest import make_settings, serving
from tests.sync_service.national import DOSSIERS, EXTERNAL, National, row

PUSHES = 14
POOL = 6
PATIENCE = 300


@pytest.fixture
def narrow_settings(postgres: Databases) -> Settings:
    return make_settings(postgres, database_pool=POOL)


@pytest.fixture
async def narrow(
    narrow_settings: Settings, authority: TestAuthority, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[National]:
    """Nothing that waits here gives up, however slow the machine is."""
    monkeypatch.setattr(push_limiter, "MAX_WAIT_S", PATIENCE)
    monkeypatch.setattr(engine, "LOCK_S", PATIENCE)
    monkeypatch.setattr(engine, "STATEMENT_S", PATIENCE)
    async with serving(narrow_settings, authority) as view:
        yield view


async def push_all(view: National, clients: Sequence[str]) -> list[int]:
    async def push(client: str) -> int:
        rows = [row() for _ in range(5)]
        right = {"agencies": ["H41"]}
        answer = await view.call(f"POST {DOSSIERS}", by=client, json={"rows": rows}, right=right)
        return answer.status_code

    return await asyncio.gather(*(push(client) for client in clients))


async def waiting(view: National) -> int:
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    return int(await view.scalar(query))


async def test_pushes_that_wait_for_each_other_hold_no_connection_that_a_read_needs(
    narrow: National,
) -> None:
    clients = [f"{EXTERNAL}-{number}" for number in range(PUSHES)]
    async with narrow.sessions.begin() as session:
        # As a long push does: it holds every stripe.
        await session.execute(
            text("SELECT pg_advisory_xact_lock(:lock, n) FROM generate_series(0, :last) AS n"),
            {"lock": NATIONAL_STRIPE, "last": STRIPES - 1},
        )
        pushes = asyncio.create_task(push_all(narrow, clients))

        async def all_slots_wait() -> bool:
            return await waiting(narrow) == push_limiter.MAX_PUSHES

        await eventually(all_slots_wait, within=60)
        assert (await narrow.listed()).status_code == 200
        assert await waiting(narrow) == push_limiter.MAX_PUSHES
    assert await pushes == [200] * PUSHES


async def test_client_leaves_slots_to_others(narrow: National) -> None:
    taken = [
        push_limiter.PushLimiter.acquire_slot(narrow.app.state.push_limiter, "one")
        for _ in range(2)
    ]
    for slot in taken:
        await slot.__aenter__()
    third = asyncio.create_task(push_all(narrow, ["one"]))
    assert await push_all(narrow, ["other"]) == [200]
    assert not third.done()
    for slot in taken:
        await slot.__aexit__(None, None, None)
    assert await third == [200]


async def test_push_that_waits_too_long_is_told_when_to_come_again(
    narrow: National, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_limiter, "MAX_WAIT_S", 0.05)
    acquire_slot = narrow.app.state.push_limiter.acquire_slot
    async with acquire_slot(EXTERNAL), acquire_slot(EXTERNAL):
        answer = await narrow.call(f"POST {DOSSIERS}", by=EXTERNAL, json={"rows": [row()]})
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert await push_all(narrow, [EXTERNAL]) == [200]
