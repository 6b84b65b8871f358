"""Each consumer handles each event once; events of unknown types are kept for a later build."""

from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.session import SessionFactory
from shared.events import EVENTS, DossierProgressed, base
from shared.messaging.inbox import (
    Handlers,
    delete_expired_inbox_rows,
    renew_inbox_rows,
)
from shared.messaging.redelivery import redeliver_batch, replay_known_types
from shared.runtime.operator_routes import list_dead_letters
from tests.shared.event_flow import (
    HANDLERS,
    agency,
    handle_records,
    handling,
    progressed,
    record,
    scalar,
    versions_of,
)
from tests.support.event_keys import VERIFIER


async def reasons(sessions: SessionFactory) -> list[str]:
    async with sessions() as session:
        return [letter.reason for letter in await list_dead_letters(session, "open")]


async def test_event_of_a_type_without_a_handler_enters_no_inbox(
    sessions: SessionFactory, key: str
) -> None:
    await handle_records(sessions, [record(agency(key)), record(progressed(key))], HANDLERS)
    assert await scalar(sessions, "SELECT count(*) FROM handled_event") == 1
    assert not await reasons(sessions)


async def test_consumer_added_later_receives_what_another_has_handled(
    sessions: SessionFactory, key: str
) -> None:
    received: list[int] = []

    async def receive(_: AsyncSession, events: Sequence[DossierProgressed]) -> None:
        received.extend(event.version for event in events)

    records = [record(progressed(key, n)) for n in range(3)]
    await handle_records(sessions, records[:2], HANDLERS)
    added = handling(receive, consumer="added")
    both: Handlers = {DossierProgressed: [*HANDLERS[DossierProgressed], *added[DossierProgressed]]}
    for _ in range(2):
        await handle_records(sessions, records, both)
    assert await versions_of(sessions, key) == [0, 1, 2]
    assert received == [0, 1, 2]
    query = "SELECT count(*) FROM handled_event WHERE consumer = 'added'"
    assert await scalar(sessions, query) == 3


async def test_event_of_an_unknown_type_is_kept_and_handled_once_its_type_is_known(
    sessions: SessionFactory, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = dict(EVENTS)
    with monkeypatch.context() as patched:
        patched.delitem(base._events, DossierProgressed.event_type)
        await handle_records(sessions, [record(progressed(key, 7))], HANDLERS)
        (reason,) = await reasons(sessions)
        assert reason.startswith("UnknownEventError")
        assert await replay_known_types(sessions) == 0
    assert known == EVENTS
    assert await scalar(sessions, "SELECT count(*) FROM handled_event") == 0
    assert await replay_known_types(sessions) == 1
    assert await redeliver_batch(sessions, HANDLERS, VERIFIER) == 1
    assert await versions_of(sessions, key) == [7]
    assert await replay_known_types(sessions) == 0


async def test_inbox_is_forgotten_slice_by_slice_after_its_days(
    sessions: SessionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.database.bulk.SLICE_ROWS", 2)
    async with sessions.begin() as session:
        await session.execute(
            text(
                "INSERT INTO handled_event (id, at)"
                " SELECT gen_random_uuid(), now() - n * interval '1 day 1 minute'"
                " FROM generate_series(6, 13) AS n"
            )
        )
        await delete_expired_inbox_rows(session)
    # 6 and 7 days old; those of 8 to 13 days went in slices of two.
    assert await scalar(sessions, "SELECT count(*) FROM handled_event") == 2


async def test_events_of_a_restored_database_are_still_known_when_they_come_again(
    sessions: SessionFactory, key: str
) -> None:
    records = [record(progressed(key, 1))]
    await handle_records(sessions, records, HANDLERS)
    async with sessions.begin() as session:
        await session.execute(text("UPDATE handled_event SET at = now() - interval '1 year'"))
        await renew_inbox_rows(session)
        await delete_expired_inbox_rows(session)
    await handle_records(sessions, records, HANDLERS)
    assert await versions_of(sessions, key) == [1]
