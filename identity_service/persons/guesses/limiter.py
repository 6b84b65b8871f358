"""Enforce the budgets: refuse callers that have to wait, and count wrong claims.

A match costs no write and no query: the blocked holders are cached, and reloaded from the database
once a second, because another process may have blocked them.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

import stamina
from prometheus_client import Counter
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.persons.guesses.budgets import (
    MAX_WAIT,
    Count,
    Holder,
    Scope,
    compute_wait,
    is_sequential,
    is_spent,
    may_name_fields,
    read_budgets,
)
from identity_service.persons.guesses.counts import (
    NewMiss,
    add_misses,
    block_holders,
    list_blocked_holders,
)
from identity_service.persons.problems import ClaimsUnderWay, GuessesSpent
from identity_service.settings import Settings
from shared.codes.coverage import canonical_code
from shared.database.session import SessionFactory
from shared.events import VerificationGuessed
from shared.messaging.outbox import publish_events
from shared.web.calls.auth import CallContext
from shared.web.single_flight import SingleFlight

BUDGETS_SPENT = Counter(
    "guess_budgets_spent_total", "Times that a caller was told to wait for its guesses", ["scope"]
)
for _scope in Scope:
    BUDGETS_SPENT.labels(_scope.value)  # so that the first one already is an increase

REFRESH = timedelta(seconds=1)
# No transaction lasts so long: one that began before the last query may commit after it.
OVERLAP = timedelta(seconds=60)
# Together with the look-up, this stays below the time that the gateway waits for a response.
MAX_QUEUE_WAIT_S = 5.0
MAX_CALLERS = 10_000
MAX_NUMBERS = 100
PERSON_DIGITS = 15  # so many hexadecimal digits make a small integer


def _is_connection_lost(error: Exception) -> bool:
    """Return whether a pooled connection was dead; a retry opens a new one."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


_retry_once = stamina.retry(
    on=_is_connection_lost, attempts=2, timeout=None, wait_initial=0, wait_jitter=0
)


@dataclass(slots=True)
class _Recent:
    """Keep the calls of a caller since its last miss, the people that it knew, the numbers missed.

    `people` holds a part of each keyed hash, each person once within the window.
    """

    since: datetime
    calls: int = 0
    people: set[int] = field(default_factory=set)
    numbers: deque[int] = field(default_factory=lambda: deque(maxlen=MAX_NUMBERS))


@dataclass(slots=True)
class _ClaimQueue:
    """Serialize the claims of one agency about one person."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0

    async def acquire(self) -> None:
        """Acquire `lock`; raise ClaimsUnderWay where that takes too long."""
        if self.users == 1:
            await self.lock.acquire()
            return
        try:
            async with asyncio.timeout(MAX_QUEUE_WAIT_S):
                await self.lock.acquire()
        except TimeoutError:
            raise ClaimsUnderWay(ceil(MAX_QUEUE_WAIT_S)) from None


class GuessLimiter:
    """Refuse callers that have to wait, and count the wrong claims of the others."""

    def __init__(self, sessions: SessionFactory, settings: Settings) -> None:
        self._sessions = sessions
        self._budgets = read_budgets(settings)
        self._first_wait = timedelta(seconds=settings.guess_wait_seconds)
        self._blocked: dict[Holder, datetime] = {}
        self._refreshed_at: datetime | None = None
        self._recent: OrderedDict[Holder, _Recent] = OrderedDict()
        self._under_way: dict[tuple[str, str], _ClaimQueue] = {}
        self._refreshing = SingleFlight(self._read_blocked)

    @asynccontextmanager
    async def open_attempt(
        self, caller: CallContext, *, person: str, number: str, now: datetime
    ) -> AsyncIterator["Attempt"]:
        """Judge the claims of an agency about a person one at a time.

        Raise GuessesSpent for a caller that has to wait, ClaimsUnderWay where the claims before
        this one last too long. Concurrent claims would otherwise all be judged before the first
        of them is counted.
        """
        attempt = Attempt(self, caller, person, number, now)
        await self._refresh_blocked(now)
        self._refuse_blocked(attempt)
        key = (attempt.agency, person)
        if (queue := self._under_way.get(key)) is None:
            queue = self._under_way[key] = _ClaimQueue()
        queue.users += 1
        try:
            await queue.acquire()
            try:
                self._refuse_blocked(attempt)
                yield attempt
            finally:
                queue.lock.release()
        finally:
            queue.users -= 1
            if not queue.users:
                del self._under_way[key]

    def count_known_person(self, attempt: "Attempt") -> None:
        """Count in memory a person that the caller knew; the next miss stores the count."""
        person = int(attempt.person[:PERSON_DIGITS], 16)
        for holder in attempt.holders:
            if holder.scope.about_one_person:
                continue
            recent = self._find_recent(holder, attempt.now)
            matter = self._budgets[holder.scope].people_that_matter
            if person not in recent.people and len(recent.people) < matter:
                recent.people.add(person)
                recent.calls += 1

    async def count_miss(self, attempt: "Attempt") -> bool:
        """Store the miss, and return whether the response may name fields; raise GuessesSpent."""
        misses = [self._build_miss(holder, attempt) for holder in attempt.holders]
        counts, untils = await self._write_misses(misses, attempt)
        for holder in untils:
            BUDGETS_SPENT.labels(holder.scope.value).inc()
        before = {count.holder: count.blocked_until for count in counts if count.blocked_until}
        self._blocked |= before | untils
        if any(until > attempt.now for until in before.values()):
            # Another process had blocked the caller already.
            self._refuse_blocked(attempt)
        return all(may_name_fields(count, self._budgets[count.holder.scope]) for count in counts)

    # A retry after a lost commit may store a miss twice, which only makes the budget smaller.
    @_retry_once
    async def _write_misses(
        self, misses: Sequence[NewMiss], attempt: "Attempt"
    ) -> tuple[list[Count], dict[Holder, datetime]]:
        async with self._sessions.begin() as session:
            counts = await add_misses(session, misses, attempt.now)
            return counts, await self._block_spent(session, counts, attempt)

    async def _block_spent(
        self, session: AsyncSession, counts: Sequence[Count], attempt: "Attempt"
    ) -> dict[Holder, datetime]:
        untils = {}
        for count in counts:
            budget = self._budgets[count.holder.scope]
            if is_spent(count, budget):
                until = attempt.now + compute_wait(count, budget, self._first_wait)
                untils[count.holder] = until
                publish_events(session, _build_event(count, attempt, until))
        if untils:
            await block_holders(session, untils, attempt.now)
        return untils

    def _build_miss(self, holder: Holder, attempt: "Attempt") -> NewMiss:
        budget, calls, sequential = self._budgets[holder.scope], 1, False
        if not holder.scope.about_one_person:
            recent = self._find_recent(holder, attempt.now)
            calls, recent.calls = recent.calls + 1, 0
            sequential = any(is_sequential(attempt.number, number) for number in recent.numbers)
            recent.numbers.append(attempt.number)
        return NewMiss(holder, calls, sequential, budget.window)

    def _find_recent(self, holder: Holder, now: datetime) -> _Recent:
        recent = self._recent.get(holder)
        if recent is None:
            recent = self._recent[holder] = _Recent(now)
            if len(self._recent) > MAX_CALLERS:
                self._recent.popitem(last=False)
            return recent
        self._recent.move_to_end(holder)
        if now - recent.since > self._budgets[holder.scope].window:
            recent.since, recent.calls = now, 0
            recent.people.clear()
        return recent

    def _refuse_blocked(self, attempt: "Attempt") -> None:
        untils = [self._blocked[holder] for holder in attempt.holders if holder in self._blocked]
        if untils and (wait := max(untils) - attempt.now) > timedelta(0):
            raise GuessesSpent(ceil(wait.total_seconds()))

    async def _refresh_blocked(self, now: datetime) -> None:
        if self._refreshed_at is None or now - self._refreshed_at >= REFRESH:
            await self._refreshing(now)

    async def _read_blocked(self, now: datetime) -> None:
        since = (self._refreshed_at or now - MAX_WAIT) - OVERLAP
        blocked = await self._list_blocked_holders(since, now)
        self._blocked = {
            holder: until for holder, until in self._blocked.items() if until > now
        } | blocked
        self._refreshed_at = now

    @_retry_once
    async def _list_blocked_holders(self, since: datetime, now: datetime) -> dict[Holder, datetime]:
        async with self._sessions() as session:
            return await list_blocked_holders(session, since=since, now=now)


class Attempt:
    """Track one claim of a caller about a person; its use case reports a hit or a miss."""

    def __init__(
        self, limiter: GuessLimiter, caller: CallContext, person: str, number: str, now: datetime
    ) -> None:
        self._limiter, self.caller, self.person, self.now = limiter, caller, person, now
        # Clients that were registered under either form of its code share the agency's budgets.
        self.agency = canonical_code(caller.agency)
        self.number = int(number)
        officer = caller.officer or ""
        # The rows are locked in this order.
        self.holders = (
            Holder(Scope.AGENCY, self.agency),
            Holder(Scope.CLIENT, caller.client),
            Holder(Scope.OFFICER, caller.client, officer),
            Holder(Scope.AGENCY_PERSON, self.agency, person=person),
            Holder(Scope.OFFICER_PERSON, caller.client, officer, person),
        )

    def count_hit(self) -> None:
        """Count that the caller knew the person: in memory, and at no other cost."""
        self._limiter.count_known_person(self)

    async def count_miss(self) -> bool:
        """Store the miss, and return whether the response may name the fields that differ.

        Raise GuessesSpent where another process has blocked the caller meanwhile.
        """
        return await self._limiter.count_miss(self)


def _build_event(count: Count, attempt: Attempt, until: datetime) -> VerificationGuessed:
    return VerificationGuessed(
        version=count.misses,
        at=attempt.now,
        client_id=attempt.caller.client,
        agency=attempt.caller.agency,
        officer=attempt.caller.officer,
        person=count.holder.person or None,
        scope=count.holder.scope.value,
        misses=count.misses,
        calls=count.calls,
        sequential=count.sequential,
        blocked_until=until,
    )
