import asyncio
import time

import pytest
import stamina
from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage

from gateway.forwarding import Exchange
from gateway.limits import DEFAULT_QUOTAS, Counters, Quotas
from gateway.problems import QuotaSpent
from gateway.upstreams import OPERATIONS, QuotaClass
from tests.gateway.mesh import Mesh


def two_a_minute() -> Quotas:
    return Quotas(defaults=dict.fromkeys(QuotaClass, RateLimitItemPerMinute(2)))


async def test_call_over_the_quota_is_refused_with_the_time_to_wait() -> None:
    quotas = two_a_minute()
    await quotas.spend("h26", QuotaClass.READ)
    await quotas.spend("h26", QuotaClass.READ)
    with pytest.raises(QuotaSpent) as refused:
        await quotas.spend("h26", QuotaClass.READ)
    headers = refused.value.headers or {}
    assert refused.value.status == 429
    assert 1 <= int(headers["Retry-After"]) <= 60
    assert headers["RateLimit-Reset"] == headers["Retry-After"]
    assert headers["RateLimit-Limit"] == "2"
    assert headers["RateLimit-Remaining"] == "0"
    assert headers["RateLimit-Policy"] == "2;w=60"


async def test_clients_and_classes_are_counted_apart() -> None:
    quotas = Quotas(defaults=dict.fromkeys(QuotaClass, RateLimitItemPerMinute(1)))
    await quotas.spend("h26", QuotaClass.READ)
    await quotas.spend("h26", QuotaClass.WRITE)
    await quotas.spend("g01", QuotaClass.READ)
    with pytest.raises(QuotaSpent):
        await quotas.spend("g01", QuotaClass.READ)


async def test_the_grants_own_quota_comes_before_the_default() -> None:
    quotas = two_a_minute()
    for _ in range(3):
        await quotas.spend("h26", QuotaClass.READ, per_second=3)
    with pytest.raises(QuotaSpent, match="3 calls of class read are allowed in 1 seconds"):
        await quotas.spend("h26", QuotaClass.READ, per_second=3)


async def test_the_grants_quota_of_a_day_comes_beside() -> None:
    quotas = Quotas(defaults=dict.fromkeys(QuotaClass, RateLimitItemPerMinute(9)))
    await quotas.spend("h26", QuotaClass.READ, per_day=1)
    with pytest.raises(QuotaSpent, match="1 calls of class read are allowed in 86400 seconds"):
        await quotas.spend("h26", QuotaClass.READ, per_day=1)


async def test_calls_at_once_get_exactly_the_quota() -> None:
    quotas = Quotas(defaults={QuotaClass.READ: RateLimitItemPerMinute(10)})
    calls = [quotas.spend("h26", QuotaClass.READ) for _ in range(50)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 10


async def test_quota_comes_back_with_time() -> None:
    quotas = Quotas(defaults={QuotaClass.READ: RateLimitItemPerSecond(1)})
    await quotas.spend("h26", QuotaClass.READ)

    @stamina.retry(on=QuotaSpent, attempts=None, timeout=5, wait_initial=0.02, wait_max=0.1)
    async def spend_again() -> None:
        await quotas.spend("h26", QuotaClass.READ)

    await spend_again()
    with pytest.raises(QuotaSpent):
        await quotas.spend("h26", QuotaClass.READ)


async def test_counters_count_as_the_librarys_own_and_forget_what_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = Counters(), MemoryStorage()
    for amount in (1, 3, 2):
        assert await ours.incr("a", 10, amount) == await theirs.incr("a", 10, amount)
    assert await ours.get("a") == await theirs.get("a") == 6
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert await ours.incr("b", 10) == 1
    assert set(ours.storage) == set(ours.expirations) == {"b"}


async def test_hits_are_allowed_as_by_the_librarys_own_counters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs, began = Counters(), MemoryStorage(), time.time() // 10 * 10
    allowed = []
    for step in range(400):
        monkeypatch.setattr(time, "time", lambda at=began + step / 8: at)
        hits = [await each.acquire_sliding_window_entry("a", 20, 10) for each in (ours, theirs)]
        assert hits[0] == hits[1], step
        allowed.append(hits[0])
    assert 90 <= sum(allowed) <= 110  # 20 in each of five windows, of 80 that ask


async def test_a_hit_is_cheap_with_many_clients() -> None:
    quotas = Quotas(defaults={QuotaClass.READ: RateLimitItemPerMinute(1_000_000)})
    clients = [f"client-{number}" for number in range(1_000)]
    for client in clients:
        await quotas.spend(client, QuotaClass.READ)

    async def round_of_hits() -> float:
        began = time.process_time()
        for client in clients:
            await quotas.spend(client, QuotaClass.READ)
            await asyncio.sleep(0)  # lets work that a hit left behind be counted too
        return (time.process_time() - began) / len(clients)

    assert min([await round_of_hits() for _ in range(5)]) < 30e-6


def test_every_class_in_use_has_a_quota() -> None:
    assert {operation.quota_class for operation in OPERATIONS.values()} <= set(DEFAULT_QUOTAS)


async def test_each_address_asks_for_so_many_tokens_and_no_more(mesh: Mesh) -> None:
    operation, most = OPERATIONS["POST /oauth/token"], DEFAULT_QUOTAS[QuotaClass.TOKEN].amount

    async def ask(address: str) -> None:
        scope = {"type": "http", "client": (address, 1), "headers": []}
        await mesh.admission(Exchange(operation, "request"), scope, {})

    async def guess() -> None:
        for _ in range(2 * most + 1):  # a new minute may begin meanwhile
            await ask("203.0.113.9")

    with pytest.raises(QuotaSpent):
        await guess()
    await ask("203.0.113.10")
