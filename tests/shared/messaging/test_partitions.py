"""Sent events are kept by UTC day, for as long as a broker may have to be refilled."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from shared.database.session import SessionFactory
from shared.messaging.outbox import RETENTION_DAYS, keep_partitions
from tests.shared.event_flow import scalar


async def partitions(sessions: SessionFactory) -> set[str]:
    query = (
        "SELECT array_agg(inhrelid::regclass::text) FROM pg_inherits"
        " WHERE inhparent = 'outbox_sent'::regclass"
    )
    return set(await scalar(sessions, query))


def named(days: int) -> str:
    return f"outbox_sent_{datetime.now(UTC).date() + timedelta(days):%Y%m%d}"


async def test_partitions_are_made_ahead_and_old_ones_dropped(sessions: SessionFactory) -> None:
    for age in (RETENTION_DAYS, RETENTION_DAYS + 1, RETENTION_DAYS + 30):
        day = datetime.now(UTC).date() - timedelta(age)
        bounds = f"FROM ('{day} 00:00+00') TO ('{day + timedelta(1)} 00:00+00')"
        async with sessions.begin() as session:
            await session.execute(
                text(f"CREATE TABLE {named(-age)} PARTITION OF outbox_sent FOR VALUES {bounds}")
            )
    for _ in range(2):
        async with sessions.begin() as session:
            await keep_partitions(session, now=datetime.now(UTC))
        assert await partitions(sessions) == {named(0), named(1), named(-RETENTION_DAYS)}


async def test_partitions_hold_a_utc_day_whatever_the_sessions_time_zone(
    sessions: SessionFactory,
) -> None:
    async with sessions.begin() as session:
        await session.execute(text(f"DROP TABLE {named(1)}"))
        await session.execute(text("SET LOCAL TIME ZONE 'Asia/Ho_Chi_Minh'"))
        await keep_partitions(session, now=datetime.now(UTC))
    query = "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = :name"
    day = datetime.now(UTC).date() + timedelta(1)
    async with sessions.begin() as session:
        await session.execute(text("SET LOCAL TIME ZONE 'UTC'"))
        bounds = await session.scalar(text(query), {"name": named(1)})
    assert bounds == (
        f"FOR VALUES FROM ('{day} 00:00:00+00') TO ('{day + timedelta(1)} 00:00:00+00')"
    )
