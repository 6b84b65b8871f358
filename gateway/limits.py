"""How much one client may ask for."""

import math
import time
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from limits import (
    RateLimitItem,
    RateLimitItemPerDay,
    RateLimitItemPerMinute,
    RateLimitItemPerSecond,
)
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from gateway.problems import QuotaSpent
from gateway.upstreams import QuotaClass

# Where a grant says nothing else. Per client: the whole country asks for 51 verifications a second.
DEFAULT_QUOTAS: Mapping[QuotaClass, RateLimitItem] = MappingProxyType(
    {
        QuotaClass.TOKEN: RateLimitItemPerMinute(600),
        QuotaClass.READ: RateLimitItemPerMinute(6_000),
        QuotaClass.WRITE: RateLimitItemPerMinute(3_000),
        QuotaClass.VERIFICATION: RateLimitItemPerMinute(6_000),
        QuotaClass.BULK: RateLimitItemPerMinute(600),
        QuotaClass.ADMIN: RateLimitItemPerMinute(600),
        QuotaClass.REFUSED: RateLimitItemPerMinute(600),
    }
)
# How often one client's having spent a quota is news, and put on record.
_TOLD = RateLimitItemPerMinute(1)
_SWEEP_EVERY_S = 60.0
_per_second = cache(RateLimitItemPerSecond)
_per_day = cache(RateLimitItemPerDay)


class Counters(MemoryStorage):
    """The memory storage of `limits` sweeps all counters at each hit: the more clients, the slower.

    This one sweeps once a minute, and takes a hit in one piece: nothing is awaited in between, so
    counting needs no lock.
    """

    def __init__(self) -> None:
        super().__init__()
        self._swept_at = time.time()

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        now = time.time()
        previous, current = self.sliding_window_keys(key, expiry, now)
        # A counter lives for two windows: the one before is still there.
        weighted = self.storage.get(previous, 0) * (1 - now / expiry % 1)
        if math.floor(weighted + self.storage.get(current, 0)) + amount > limit:
            return False
        self._count(current, 2 * expiry, amount, now)
        return True

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        return self._count(key, expiry, amount, time.time())

    def _count(self, key: str, expiry: float, amount: int, now: float) -> int:
        if now - self._swept_at > _SWEEP_EVERY_S:
            self._sweep(now)
        if self.expirations.get(key, 0.0) <= now:
            self.storage[key] = 0
            self.expirations[key] = now + expiry
        self.storage[key] += amount
        return self.storage[key]

    def _sweep(self, now: float) -> None:
        self._swept_at = now
        for key in [key for key, end in self.expirations.items() if end <= now]:
            del self.storage[key], self.expirations[key]


class Quotas:
    """Counts calls for each client and quota class over a sliding window; each gateway its own."""

    def __init__(self, defaults: Mapping[QuotaClass, RateLimitItem] = DEFAULT_QUOTAS) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(Counters())
        self._defaults = defaults

    async def spend(
        self,
        client: str,
        quota_class: QuotaClass,
        *,
        per_second: int | None = None,
        per_day: int | None = None,
    ) -> None:
        """Count one call; raises QuotaSpent.

        `per_second` of the grant stands in place of the default, `per_day` comes beside.
        """
        first = self._defaults[quota_class] if per_second is None else _per_second(per_second)
        await self._hit(first, client, quota_class)
        if per_day is not None:
            await self._hit(_per_day(per_day), client, quota_class)

    async def _hit(self, quota: RateLimitItem, client: str, quota_class: QuotaClass) -> None:
        if await self._limiter.hit(quota, client, quota_class):
            return
        window = await self._limiter.get_window_stats(quota, client, quota_class)
        raise QuotaSpent(
            quota_class,
            amount=quota.amount,
            window_s=quota.get_expiry(),
            reset_s=max(1, math.ceil(window.reset_time - time.time())),
            repeated=not await self._limiter.hit(_TOLD, "told", client, quota_class),
        )
