import time
from dataclasses import dataclass

import pytest

from gateway.access.problems import QuotaSpent
from gateway.access.rate_limits import Counters, Quotas
from gateway.access.right_in_force import GrantedQuotas
from gateway.ledger.record_draft import AccessRecordDraft
from gateway.operations.model import QuotaClass
from gateway.operations.quotas import DEFAULT_QUOTAS, Quota
from gateway.operations.table import OPERATIONS
from tests.support.gateway_harness import Gate


def two_a_minute() -> Quotas:
    return Quotas(defaults=dict.fromkeys(QuotaClass, Quota(2, 60)))


def test_call_over_the_quota_is_refused_with_the_time_to_wait() -> None:
    quotas = two_a_minute()
    quotas.count_call("h26", QuotaClass.READ)
    quotas.count_call("h26", QuotaClass.READ)
    with pytest.raises(QuotaSpent) as refused:
        quotas.count_call("h26", QuotaClass.READ)
    headers = refused.value.headers or {}
    assert refused.value.status == 429
    assert 1 <= int(headers["Retry-After"]) <= 60
    assert headers["RateLimit-Reset"] == headers["Retry-After"]
    assert headers["RateLimit-Limit"] == "2"
    assert headers["RateLimit-Remaining"] == "0"
    assert headers["RateLimit-Policy"] == "2;w=60"


def test_clients_and_classes_are_counted_apart() -> None:
    quotas = Quotas(defaults=dict.fromkeys(QuotaClass, Quota(1, 60)))
    quotas.count_call("h26", QuotaClass.READ)
    quotas.count_call("h26", QuotaClass.WRITE)
    quotas.count_call("g01", QuotaClass.READ)
    with pytest.raises(QuotaSpent):
        quotas.count_call("g01", QuotaClass.READ)


def test_the_grants_own_quota_comes_before_the_default() -> None:
    quotas = two_a_minute()
    for _ in range(3):
        quotas.count_call("h26", QuotaClass.READ, GrantedQuotas(3, by_default=False))
    with pytest.raises(QuotaSpent, match="The quota of class read is 3 in 1 second; "):
        quotas.count_call("h26", QuotaClass.READ, GrantedQuotas(3, by_default=False))


@pytest.mark.parametrize(("per_second", "amount"), [(1, 120), (2, 120), (3, 3)])
def test_default_is_the_least_where_one_grant_names_no_quota(per_second: int, amount: int) -> None:
    quotas = Quotas(defaults=dict.fromkeys(QuotaClass, Quota(120, 60)))
    granted = GrantedQuotas(per_second, by_default=True)
    for _ in range(amount):
        quotas.count_call("h26", QuotaClass.READ, granted)
    with pytest.raises(QuotaSpent):
        quotas.count_call("h26", QuotaClass.READ, granted)


def test_the_grants_quota_of_a_day_comes_beside() -> None:
    quotas = Quotas(defaults=dict.fromkeys(QuotaClass, Quota(9, 60)))
    quotas.count_call("h26", QuotaClass.READ, GrantedQuotas(per_day=1))
    with pytest.raises(QuotaSpent, match="The quota of class read is 1 in 86400 seconds; "):
        quotas.count_call("h26", QuotaClass.READ, GrantedQuotas(per_day=1))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> "Clock":
    clock = Clock()
    monkeypatch.setattr("gateway.access.rate_limits.monotonic", lambda: clock.now)
    return clock


@dataclass
class Clock:
    now: float = 1_800_000_000.0  # a window of any usual length begins


@pytest.mark.parametrize("each_s", [0.125, 1 / 3, 0.4])
def test_steady_calls_get_their_quota_in_each_window(clock: Clock, each_s: float) -> None:
    counters, begun = Counters(), clock.now
    allowed = []
    for step in range(int(100 / each_s)):
        clock.now = begun + step * each_s
        if counters.count_limited_call("h26", "read", Quota(20, 10)) is None:
            allowed.append(clock.now - begun)
    assert 190 <= len(allowed) <= 210
    # The first come all at once; from then on the calls before are taken for evenly spread.
    for start in range(10, 90):
        assert 18 <= sum(start <= at < start + 10 for at in allowed) <= 22


def test_there_is_room_when_it_was_said_and_not_before(clock: Clock) -> None:
    counters, quota = Counters(), Quota(20, 10)
    refused = 0
    for _ in range(500):
        wait_s = counters.count_limited_call("h26", "read", quota)
        if wait_s is None:
            clock.now += 0.05
            continue
        refused += 1
        clock.now += wait_s - 1e-3
        assert counters.count_limited_call("h26", "read", quota) is not None
        clock.now += 2e-3
        assert counters.count_limited_call("h26", "read", quota) is None
    assert refused > 100


def test_a_clock_of_the_day_that_is_set_changes_no_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    counters, quota, now = Counters(), Quota(1, 86_400), time.time()
    assert counters.count_limited_call("h26", "read", quota) is None
    for day in (-2, 2):
        monkeypatch.setattr(time, "time", lambda day=day: now + day * 86_400)
        assert counters.count_limited_call("h26", "read", quota) is not None


def test_who_has_not_asked_for_two_windows_is_forgotten(clock: Clock) -> None:
    counters = Counters()
    for client in ("h26", "g01"):
        counters.count_limited_call(client, "read", Quota(1, 60))
    clock.now += 61
    counters.count_limited_call("g01", "read", Quota(1, 60))
    assert {client for client, *_ in counters._windows} == {"h26", "g01"}
    clock.now += 61
    counters.count_limited_call("g02", "read", Quota(1, 60))
    assert {client for client, *_ in counters._windows} == {"g01", "g02"}


def test_a_call_is_counted_cheaply_with_many_clients() -> None:
    quotas = Quotas(defaults={QuotaClass.READ: Quota(1_000_000, 60)})
    clients = [f"client-{number}" for number in range(1_000)]
    for client in clients:
        quotas.count_call(client, QuotaClass.READ)

    def round_of_calls() -> float:
        began = time.process_time()
        for client in clients:
            quotas.count_call(client, QuotaClass.READ)
        return (time.process_time() - began) / len(clients)

    assert min(round_of_calls() for _ in range(5)) < 15e-6


def test_every_class_in_use_has_a_quota() -> None:
    assert {operation.quota_class for operation in OPERATIONS.values()} <= set(DEFAULT_QUOTAS)


async def ask_for_token(gate: Gate, address: str, body: bytes) -> None:
    draft = AccessRecordDraft(OPERATIONS["POST /oauth/token"], "request")
    await gate.admission(draft, {"type": "http", "client": (address, 1), "headers": []}, {})
    assert draft.read_body
    draft.read_body(body)


async def test_each_address_asks_for_so_many_tokens_and_no_more(gate: Gate) -> None:
    most = DEFAULT_QUOTAS[QuotaClass.ADDRESS].amount

    async def guess() -> None:
        for number in range(2 * most + 1):  # a new minute may begin meanwhile
            await ask_for_token(gate, "203.0.113.9", b"client_id=guess-%d" % number)

    with pytest.raises(QuotaSpent):
        await guess()
    await ask_for_token(gate, "203.0.113.10", b"client_id=guess-1")


async def test_one_client_behind_a_proxy_spends_no_tokens_of_the_others(gate: Gate) -> None:
    most = DEFAULT_QUOTAS[QuotaClass.TOKEN].amount

    async def guess() -> None:
        for _ in range(2 * most + 1):
            await ask_for_token(gate, "203.0.113.11", b"client_id=onestop-h26&client_secret=guess")

    with pytest.raises(QuotaSpent):
        await guess()
    await ask_for_token(gate, "203.0.113.11", b"client_id=onestop-h40")
    await ask_for_token(gate, "203.0.113.12", b"client_id=onestop-h26")
