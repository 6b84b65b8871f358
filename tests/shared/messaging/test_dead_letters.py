"""A message that could not be handled is kept as a dead letter, and handled again or discarded."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.session import SessionFactory
from shared.events import DEAD, DossierProgressed
from shared.messaging.dead_letters import DeadLetter, measure_dead_letters
from shared.messaging.event_proofs import PROOF
from shared.messaging.inbox import Handlers
from shared.messaging.redelivery import redeliver_batch
from shared.observability.metrics import DEAD_LETTERS
from shared.runtime.operator_routes import (
    DeadLetterNotFound,
    DeadLetterSettled,
    discard_dead_letter,
    list_dead_letters,
    read_dead_letter,
    replay_dead_letter,
)
from shared.settings import ServiceSettings
from tests.shared.event_flow import (
    DOSSIERS,
    HANDLERS,
    handle_records,
    handling,
    progressed,
    record,
    record_effect,
    relay_all,
    scalar,
    tailing,
    versions_of,
)
from tests.support.event_keys import VERIFIER, change_record
from tests.support.waiting import eventually

SECRET = "079204001234"


async def refuse(_: AsyncSession, __: Sequence[Any]) -> None:
    raise LookupError(SECRET)


async def set_aside(sessions: SessionFactory, key: str, **over: Any) -> DeadLetter:
    failing = handling(refuse)
    await handle_records(sessions, [record(progressed(key, 5), offset=9, **over)], failing)
    async with sessions() as session:
        return next(one for one in await list_dead_letters(session, "open") if one.key == key)


@pytest.fixture
async def letter(sessions: SessionFactory, key: str) -> DeadLetter:
    return await set_aside(sessions, key)


async def test_letter_keeps_the_message_and_a_reason_without_content(
    sessions: SessionFactory, letter: DeadLetter, key: str
) -> None:
    assert (letter.topic, letter.partition, letter.offset, letter.key) == (DOSSIERS, 0, 9, key)
    assert DossierProgressed.model_validate_json(letter.value).version == 5
    assert letter.headers["ce_type"] == "dossier.progressed.v1"
    assert letter.reason == "LookupError in refuse"
    async with sessions() as session:
        await measure_dead_letters(session)
    assert DEAD_LETTERS._value.get() == 1


@pytest.mark.broker
async def test_the_axis_is_told_with_the_reason(
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    settings: ServiceSettings,
    letter: DeadLetter,
) -> None:
    await relay_all(sessions, producer)
    async with tailing(settings, DOSSIERS + DEAD) as tail:
        (dead,) = await eventually(lambda: tail.of(letter.key))
    assert dead.value == letter.value
    assert dict(dead.headers)["error"] == b"LookupError in refuse"


@pytest.mark.parametrize(
    "parts",
    [
        {"headers": [("x", b"\xff" * 400_000)]},
        {"headers": [("x" * 200_000, b""), ("y" * 800_000, b"")]},
        {"headers": [(f"{number:06}", b"\xff") for number in range(90_000)]},
        {"key": b"\xff" * 400_000},
        {"value": b"v" * 850_000, "headers": [("x", b"a" * 60_000)]},
        {"value": b"v" * 950_000},
    ],
    ids=["header", "names", "headers", "key", "sum", "value"],
)
async def test_letter_whose_copy_would_be_too_large_is_kept_without_a_copy(
    sessions: SessionFactory, key: str, parts: dict[str, Any]
) -> None:
    plain = change_record(record(progressed(key)), value=b"{}", headers=[])
    await handle_records(sessions, [change_record(plain, **parts)], HANDLERS)
    assert await scalar(sessions, "SELECT count(*) FROM dead_letter") == 1
    assert await scalar(sessions, "SELECT count(*) FROM outbox") == 0


async def replay(sessions: SessionFactory, letter: DeadLetter, handlers: Handlers) -> int:
    """As an operator asks for it and the worker does it."""
    async with sessions.begin() as session:
        await replay_dead_letter(session, letter.id)
    assert await state_of(sessions, letter.id) == "replaying"
    return await redeliver_batch(sessions, handlers, VERIFIER)


async def test_replayed_letter_is_handled_once_when_its_cause_is_gone(
    sessions: SessionFactory, letter: DeadLetter
) -> None:
    assert await replay(sessions, letter, HANDLERS) == 1
    assert await redeliver_batch(sessions, HANDLERS, VERIFIER) == 0
    assert await versions_of(sessions, letter.key) == [5]
    assert await state_of(sessions, letter.id) == "replayed"


async def test_letter_that_a_worker_left_in_the_middle_is_handled_once(
    sessions: SessionFactory, letter: DeadLetter
) -> None:
    await replay(sessions, letter, HANDLERS)
    async with sessions.begin() as session:
        await session.execute(text("UPDATE dead_letter SET state = 'replaying'"))
    assert await redeliver_batch(sessions, HANDLERS, VERIFIER) == 1
    assert await versions_of(sessions, letter.key) == [5]


async def test_letter_that_its_owner_did_not_sign_is_not_handled_when_replayed(
    sessions: SessionFactory, key: str
) -> None:
    forged = change_record(
        record(progressed(key)), value=progressed(key, 9).model_dump_json().encode()
    )
    await handle_records(sessions, [forged], HANDLERS)
    async with sessions() as session:
        (letter,) = await list_dead_letters(session, "open")
    assert await replay(sessions, letter, HANDLERS) == 1
    assert await versions_of(sessions, key) == []
    assert await state_of(sessions, letter.id) == "open"


async def test_discarded_forgery_does_not_hide_the_event_that_it_copies(
    sessions: SessionFactory, key: str
) -> None:
    true = record(progressed(key, 5))
    unproven = change_record(true, headers=[each for each in true.headers if each[0] != PROOF])
    await handle_records(sessions, [unproven], HANDLERS)
    async with sessions.begin() as session:
        (forged,) = await list_dead_letters(session, "open")
        await discard_dead_letter(session, forged.id)
    await handle_records(sessions, [true], handling(refuse))
    async with sessions() as session:
        (letter,) = await list_dead_letters(session, "open")
    assert letter.reason == "LookupError in refuse"


async def state_of(sessions: SessionFactory, letter: UUID) -> str:
    async with sessions() as session:
        return (await read_dead_letter(session, letter)).state


async def test_letter_that_fails_again_is_open_again_and_the_same(
    sessions: SessionFactory, letter: DeadLetter
) -> None:
    await replay(sessions, letter, handling(refuse))
    assert await state_of(sessions, letter.id) == "open"
    assert await scalar(sessions, "SELECT count(*) FROM dead_letter") == 1


async def test_discarded_letter_stays_so_when_the_axis_is_refilled(
    sessions: SessionFactory, letter: DeadLetter
) -> None:
    async with sessions.begin() as session:
        await discard_dead_letter(session, letter.id)
    headers = [(name, content.encode()) for name, content in letter.headers.items()]
    same = record(progressed(letter.key, 5), headers=headers)
    await handle_records(sessions, [same], handling(refuse))
    assert await state_of(sessions, letter.id) == "discarded"
    # Only the first time was worth telling.
    assert await scalar(sessions, "SELECT count(*) FROM outbox") == 1


async def test_settled_letter_cannot_be_settled_again(
    sessions: SessionFactory, letter: DeadLetter
) -> None:
    async with sessions.begin() as session:
        await discard_dead_letter(session, letter.id)
        with pytest.raises(DeadLetterSettled):
            await replay_dead_letter(session, letter.id)
        with pytest.raises(DeadLetterNotFound):
            await discard_dead_letter(session, uuid4())


async def test_handler_that_failed_leaves_no_half_effect(
    sessions: SessionFactory, key: str
) -> None:
    handlers = handling(record_effect, refuse)
    await handle_records(sessions, [record(progressed(key))], handlers)
    assert await versions_of(sessions, key) == []
    assert await scalar(sessions, "SELECT count(*) FROM handled_event") == 0
