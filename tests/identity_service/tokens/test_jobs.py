"""Replaced signing keys are deleted by the time that the timer gives."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.tokens.jobs import RETENTION_REPLACED_KEYS, delete_expired_keys
from identity_service.tokens.models import SigningKey

# Long ago, so that the clocks of this machine and of the database would delete all but the last.
NOW = datetime(2020, 2, 29, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


async def list_kids(session: AsyncSession) -> Sequence[str]:
    query = select(SigningKey.kid).where(SigningKey.signs_from < NOW + timedelta(days=1))
    return (await session.scalars(query.order_by(SigningKey.signs_from))).all()


async def add_keys(session: AsyncSession, *signs_from: datetime) -> None:
    for number, begin in enumerate(signs_from):
        session.add(SigningKey(kid=f"{number}", sealed=b"", jwk={}, signs_from=begin))
    await session.flush()


async def test_replaced_key_is_deleted_once_its_tokens_and_copies_have_expired(
    undone: AsyncSession,
) -> None:
    await add_keys(undone, NOW - timedelta(days=9), NOW - timedelta(days=5), NOW)
    for elapsed, kept in (
        (timedelta(0), ["1", "2"]),
        (RETENTION_REPLACED_KEYS, ["1", "2"]),
        (RETENTION_REPLACED_KEYS + SECOND, ["2"]),
    ):
        await delete_expired_keys(undone, now=NOW + elapsed)
        assert await list_kids(undone) == kept, elapsed


async def test_last_key_is_kept_however_old_it_is(undone: AsyncSession) -> None:
    await add_keys(undone, NOW - timedelta(days=3650))
    await delete_expired_keys(undone, now=NOW)
    assert await list_kids(undone) == ["0"]
