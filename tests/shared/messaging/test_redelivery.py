"""The commit that replays a dead letter wakes the worker, which redelivers the letter."""

from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest
from sqlalchemy import text

from shared.database.engine import open_database
from shared.database.session import SessionFactory
from shared.messaging.dead_letters import DeadLetter
from shared.runtime.operator_routes import replay_dead_letter, replay_open_letters
from shared.settings import ServiceSettings
from tests.conftest import Broker
from tests.shared.event_flow import HANDLERS, versions_of
from tests.shared.messaging.test_dead_letters import set_aside, state_of
from tests.support.background import working
from tests.support.waiting import eventually

pytestmark = pytest.mark.broker
POLL_S = "shared.messaging.redelivery.POLL_S"


def worker(settings: ServiceSettings, broker: Broker) -> AbstractAsyncContextManager[None]:
    return working(settings.model_copy(update={"kafka_group": False}), HANDLERS, broker)


async def is_replayed(sessions: SessionFactory, letter: DeadLetter) -> bool:
    return await state_of(sessions, letter.id) == "replayed"


async def test_commit_that_replays_letters_wakes_the_worker(
    settings: ServiceSettings,
    sessions: SessionFactory,
    own_kafka: Broker,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(POLL_S, 3_600)
    async with worker(settings, own_kafka):
        # The look at the start may find the first; only their commit announces the others.
        for number in range(3):
            letter = await set_aside(sessions, f"{key}-{number}")
            async with open_database(settings) as command, command.begin() as session:
                if number == 1:
                    assert await replay_open_letters(session) == 1
                else:
                    await replay_dead_letter(session, letter.id)
            await eventually(partial(is_replayed, sessions, letter))
            assert await versions_of(sessions, letter.key) == [5]


async def test_replay_whose_process_woke_nobody_is_found_all_the_same(
    settings: ServiceSettings,
    sessions: SessionFactory,
    own_kafka: Broker,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(POLL_S, 0.2)
    replaying = text("UPDATE dead_letter SET state = 'replaying' WHERE state = 'open'")
    async with worker(settings, own_kafka):
        for number in range(2):
            letter = await set_aside(sessions, f"{key}-{number}")
            async with sessions.begin() as session:
                await session.execute(replaying)
            await eventually(partial(is_replayed, sessions, letter))
