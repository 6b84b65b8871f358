"""Limit the rate of calls of each client."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from gateway.access.problems import QuotaSpent
from gateway.access.right_in_force import GrantedQuotas
from gateway.operations.model import QuotaClass
from gateway.operations.quotas import DEFAULT_QUOTAS, MINUTE_S, Quota

_DAY_S = 86_400
_SWEEP_EVERY_S = 60.0


# A refusal for an exhausted quota is recorded this often for one client.
_RECORDED_REFUSALS = Quota(1, MINUTE_S)


@dataclass(slots=True)
class _Window:
    """The calls of the fixed window `number`, and of the window before it."""

    number: float
    present: int = 0
    before: int = 0


class Counters:
    """Count calls in sliding windows: the previous fixed window counts by its overlap."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str, Quota], _Window] = {}
        self._swept_at = monotonic()

    def count_limited_call(self, client: str, quota_class: str, quota: Quota) -> float | None:
        """Count one call and return None; without room, return the seconds until there is room."""
        now = monotonic()
        if now - self._swept_at > _SWEEP_EVERY_S:
            self._drop_ended_windows(now)
        number, passed = divmod(now / quota.window_s, 1)
        key = (client, quota_class, quota)
        if (window := self._windows.get(key)) is None:
            window = self._windows[key] = _Window(number)
        elif window.number != number:
            window.before = window.present if number == window.number + 1 else 0
            window.number, window.present = number, 0
        covered = 1 - passed
        if window.before * covered + window.present < quota.amount:
            window.present += 1
            return None
        if window.present < quota.amount:
            covered -= (quota.amount - window.present) / window.before
        return covered * quota.window_s

    def _drop_ended_windows(self, now: float) -> None:
        self._swept_at = now
        ended = [
            key
            for key, window in self._windows.items()
            if (window.number + 2) * key[2].window_s <= now
        ]
        for key in ended:
            del self._windows[key]


class Quotas:
    """Count calls by client and quota class over a sliding window, in this process only."""

    def __init__(self, defaults: Mapping[QuotaClass, Quota] = DEFAULT_QUOTAS) -> None:
        self._calls, self._refusals = Counters(), Counters()
        self._defaults = defaults

    def count_call(
        self,
        client: str,
        quota_class: QuotaClass,
        granted: GrantedQuotas = GrantedQuotas(),  # noqa: B008 -- it is immutable
    ) -> None:
        """Count one call; raise QuotaSpent.

        The granted `per_second` replaces the default; `per_day` applies in addition.
        """
        self._count_against_quota(
            self._choose_applied_quota(quota_class, granted), client, quota_class
        )
        if granted.per_day is not None:
            self._count_against_quota(Quota(granted.per_day, _DAY_S), client, quota_class)

    def _choose_applied_quota(self, quota_class: QuotaClass, granted: GrantedQuotas) -> Quota:
        default, per_second = self._defaults[quota_class], granted.per_second
        if per_second is None:
            return default
        is_default_larger = default.amount >= per_second * default.window_s
        return default if granted.by_default and is_default_larger else Quota(per_second, 1)

    def _count_against_quota(self, quota: Quota, client: str, quota_class: QuotaClass) -> None:
        wait_s = self._calls.count_limited_call(client, quota_class, quota)
        if wait_s is not None:
            raise QuotaSpent(
                quota_class,
                amount=quota.amount,
                window_s=quota.window_s,
                reset_s=max(1, math.ceil(wait_s)),
                repeated=self._refusals.count_limited_call(client, quota_class, _RECORDED_REFUSALS)
                is not None,
            )
