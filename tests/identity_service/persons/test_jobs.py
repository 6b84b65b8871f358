"""Counts of misses are deleted by the time that the timer gives."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.persons.jobs import delete_expired_guesses
from identity_service.persons.models import GuessCount
from shared.database import bulk

# Long ago, so that the clocks of this machine and of the database would delete all.
NOW = datetime(2020, 2, 29, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


async def add_count(
    session: AsyncSession, caller: str, expires_at: datetime, blocked_until: datetime | None = None
) -> None:
    counts = {"calls": 3, "misses": 3, "sequential": 0, "blocks": 1 if blocked_until else 0}
    await session.execute(
        insert(GuessCount).values(
            scope="client",
            caller=caller,
            officer="expiring",
            person="",
            blocked_at=blocked_until and NOW - timedelta(hours=1),
            blocked_until=blocked_until,
            expires_at=expires_at,
            **counts,
        )
    )


async def list_callers(session: AsyncSession) -> Sequence[str]:
    query = select(GuessCount.caller).where(GuessCount.officer == "expiring")
    return (await session.scalars(query.order_by(GuessCount.caller))).all()


async def test_counts_are_deleted_once_they_have_expired(undone: AsyncSession) -> None:
    await add_count(undone, "ended", NOW - SECOND)
    await add_count(undone, "ends now", NOW)
    await add_count(undone, "lasts", NOW + SECOND)
    await delete_expired_guesses(undone, now=NOW)
    assert await list_callers(undone) == ["ends now", "lasts"]


async def test_count_of_a_caller_that_waits_outlasts_its_window(undone: AsyncSession) -> None:
    await add_count(undone, "waits", NOW - SECOND, blocked_until=NOW + SECOND)
    await add_count(undone, "waited", NOW - SECOND, blocked_until=NOW - SECOND)
    await delete_expired_guesses(undone, now=NOW)
    assert await list_callers(undone) == ["waits"]
    await delete_expired_guesses(undone, now=NOW + 2 * SECOND)
    assert await list_callers(undone) == []


async def test_all_expired_counts_are_deleted_in_one_run(
    undone: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "SLICE_ROWS", 2)
    for number in range(5):
        await add_count(undone, f"ended-{number}", NOW - SECOND)
    await delete_expired_guesses(undone, now=NOW)
    assert await list_callers(undone) == []
