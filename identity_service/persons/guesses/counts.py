"""Store the counts of misses; only a miss writes rows, a match never does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.persons.guesses.budgets import Count, Holder, Scope
from identity_service.persons.models import GuessCount
from shared.database.bulk import delete_in_slices


@dataclass(frozen=True, slots=True)
class NewMiss:
    """Hold one miss of a holder, and its calls since the previous miss."""

    holder: Holder
    calls: int
    is_sequential: bool
    window: timedelta


# All transactions write in the same order, so that two misses at once cannot deadlock. A count
# about one person expires a window after its last miss, all others at the end of their window.
_ADD = text("""
    INSERT INTO guess_count AS held
        (scope, caller, officer, person, calls, misses, sequential, blocks, expires_at)
    SELECT scope, caller, officer, person, calls, 1, sequential, 0,
           CAST(:now AS timestamptz) + make_interval(secs => window_s)
    FROM unnest(CAST(:scopes AS varchar[]), CAST(:callers AS varchar[]),
                CAST(:officers AS varchar[]), CAST(:people AS varchar[]), CAST(:calls AS int[]),
                CAST(:sequential AS int[]), CAST(:windows AS float[]))
         WITH ORDINALITY
         AS added (scope, caller, officer, person, calls, sequential, window_s, place)
    ORDER BY place
    ON CONFLICT (scope, caller, officer, person) DO UPDATE SET
        calls = excluded.calls + CASE WHEN held.expires_at > :now THEN held.calls ELSE 0 END,
        misses = 1 + CASE WHEN held.expires_at > :now THEN held.misses ELSE 0 END,
        sequential = excluded.sequential
            + CASE WHEN held.expires_at > :now THEN held.sequential ELSE 0 END,
        blocks = CASE WHEN held.expires_at > :now THEN held.blocks ELSE 0 END,
        expires_at = CASE WHEN held.expires_at > :now AND held.person = ''
                          THEN held.expires_at ELSE excluded.expires_at END
    RETURNING scope, caller, officer, person, calls, misses, sequential, blocks, blocked_until
""")
_BLOCK = text("""
    UPDATE guess_count AS held
    SET blocks = held.blocks + 1, blocked_at = :now, blocked_until = blocked.until
    FROM unnest(CAST(:scopes AS varchar[]), CAST(:callers AS varchar[]),
                CAST(:officers AS varchar[]), CAST(:people AS varchar[]),
                CAST(:untils AS timestamptz[]))
         AS blocked (scope, caller, officer, person, until)
    WHERE (held.scope, held.caller, held.officer, held.person)
        = (blocked.scope, blocked.caller, blocked.officer, blocked.person)
""")
_LIST_BLOCKED = text("""
    SELECT scope, caller, officer, person, blocked_until FROM guess_count
    WHERE blocked_at >= :since AND blocked_until > :now
""")


async def add_misses(
    session: AsyncSession, misses: Sequence[NewMiss], now: datetime
) -> list[Count]:
    values = _build_columns([miss.holder for miss in misses]) | {
        "now": now,
        "calls": [miss.calls for miss in misses],
        "sequential": [int(miss.is_sequential) for miss in misses],
        "windows": [miss.window.total_seconds() for miss in misses],
    }
    return [Count(_read_holder(row), *row[4:]) for row in await _fetch_rows(session, _ADD, values)]


async def block_holders(
    session: AsyncSession, untils: Mapping[Holder, datetime], now: datetime
) -> None:
    values = _build_columns(list(untils)) | {"now": now, "untils": list(untils.values())}
    await session.execute(_BLOCK, values)


async def list_blocked_holders(
    session: AsyncSession, *, since: datetime, now: datetime
) -> dict[Holder, datetime]:
    """Return the ends of the waits that began at `since` or later and last at `now`."""
    rows = await _fetch_rows(session, _LIST_BLOCKED, {"since": since, "now": now})
    return {_read_holder(row): row[4] for row in rows}


async def delete_expired_guesses(session: AsyncSession, now: datetime) -> None:
    ended = "expires_at < :now AND (blocked_until IS NULL OR blocked_until < :now)"
    await delete_in_slices(session, GuessCount, ended, now=now)


async def _fetch_rows(
    session: AsyncSession, statement: TextClause, values: Mapping[str, Any]
) -> Sequence[Any]:
    return (await session.execute(statement, values)).all()


def _build_columns(holders: Sequence[Holder]) -> dict[str, list[Any]]:
    return {
        "scopes": [holder.scope.value for holder in holders],
        "callers": [holder.caller for holder in holders],
        "officers": [holder.officer for holder in holders],
        "people": [holder.person for holder in holders],
    }


def _read_holder(row: Sequence[Any]) -> Holder:
    return Holder(Scope(row[0]), *row[1:4])
