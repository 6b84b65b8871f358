"""What could not be handled is kept, shown, sent again or discarded: by operators, with a right."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
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
from shared.runtime.app import create_service
from shared.runtime.operator_routes import (
    DeadLetterNotFound,
    DeadLetterSettled,
    discard_dead_letter,
    list_dead_letters,
    read_dead_letter,
    replay_dead_letter,
)
from shared.settings import ServiceSettings
from tests.shared.mechanics import (
    DOSSIERS,
    HANDLERS,
    SERVICE,
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
from tests.support.event_keys import VERIFIER, change_record, key_text
from tests.support.factories import CALL_KEY, DIGEST_KEY, TestAuthority
from tests.support.serving import calling
from tests.support.waiting import eventually

SECRET = "079204001234"
PATH = "/dossier/v1/dead-letters"


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


@pytest.fixture
async def client(
    settings: ServiceSettings, sessions: SessionFactory, authority: TestAuthority
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_service(
        settings, title="Test", prefix="/dossier/v1", routers=[], call_key=CALL_KEY
    )
    async with calling(app, authority) as client:
        yield client


async def test_operator_lists_reads_replays_and_discards_over_http(
    client: httpx.AsyncClient,
    authority: TestAuthority,
    letter: DeadLetter,
    sessions: SessionFactory,
) -> None:
    async def ask(method: str, below: str = "", **query: str) -> httpx.Response:
        operation = f"{method} {PATH}{below}"
        path = PATH + below.replace("{letter_id}", str(letter.id))
        headers = authority.headers(operation, SERVICE, client="operator-vpcp")
        return await client.request(method, path, headers=headers, params=query)

    (listed,) = (await ask("GET")).json()["items"]
    assert (listed["id"], listed["reason"]) == (str(letter.id), "LookupError in refuse")
    assert "content" not in listed
    shown = (await ask("GET", "/{letter_id}")).json()
    assert json.loads(shown["content"])["code"] == letter.key
    assert (await ask("POST", "/{letter_id}/replay")).json()["state"] == "replaying"
    assert (await ask("GET")).json() == {"items": [], "next": None}
    assert len((await ask("GET", state="replaying")).json()["items"]) == 1
    assert (await ask("DELETE", "/{letter_id}")).status_code == 409
    assert (await ask("GET", state="lost")).status_code == 422


async def test_list_goes_on_where_its_page_ends(
    client: httpx.AsyncClient, authority: TestAuthority, sessions: SessionFactory, key: str
) -> None:
    made = [str((await set_aside(sessions, f"{key}-{n}")).id) for n in range(5)]
    headers = authority.headers(f"GET {PATH}", SERVICE, client="operator-vpcp")
    found: list[str] = []
    cursor: dict[str, str] = {}
    for expected in (2, 2, 1):
        page = (await client.get(PATH, headers=headers, params={"limit": "2"} | cursor)).json()
        assert len(page["items"]) == expected
        found += [letter["id"] for letter in page["items"]]
        cursor = {"after": page["next"] or ""}
    assert found == made[::-1]
    assert cursor == {"after": ""}


@pytest.mark.parametrize(
    ("method", "below"), [("GET", ""), ("GET", "/x"), ("POST", "/x/replay"), ("DELETE", "/x")]
)
async def test_without_a_right_for_it_nothing_is_shown_or_changed(
    client: httpx.AsyncClient,
    authority: TestAuthority,
    letter: DeadLetter,
    method: str,
    below: str,
) -> None:
    path = PATH + below.replace("x", str(letter.id))
    assert (await client.request(method, path)).status_code == 401
    other = authority.headers("GET /dossier/v1/dossiers", SERVICE)
    assert (await client.request(method, path, headers=other)).status_code == 403


def command(settings: ServiceSettings, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.defpath,
        "DATABASE_URL": settings.database_url,
        "KAFKA_SERVERS": settings.kafka_servers,
        "DIGEST_KEY": DIGEST_KEY.get_secret_value(),
        "EVENT_KEY": key_text(SERVICE),
        "PERSON_HASH_KEY": "00",
        "CALL_KEY": CALL_KEY.get_secret_value(),
    }
    return subprocess.run(
        [sys.executable, "-m", SERVICE, "dead-letters", *words],
        cwd=Path(__file__).parents[3],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_operator_lists_shows_and_replays_at_the_command_line(
    settings: ServiceSettings, letter: DeadLetter
) -> None:
    listed = json.loads(command(settings, "list").stdout)
    assert (listed["id"], listed["state"]) == (str(letter.id), "open")
    shown = json.loads(command(settings, "show", str(letter.id)).stdout)
    assert json.loads(shown["content"])["code"] == letter.key
    assert command(settings, "replay", str(letter.id)).returncode == 0
    again = command(settings, "discard", str(letter.id))
    assert (again.returncode, again.stderr) == (1, DeadLetterSettled.title + "\n")


async def test_operator_replays_several_or_all_at_the_command_line(
    settings: ServiceSettings, sessions: SessionFactory, key: str
) -> None:
    made = [await set_aside(sessions, f"{key}-{n}") for n in range(5)]
    assert command(settings, "replay").returncode == 2
    named = [str(letter.id) for letter in made[:2]]
    assert command(settings, "replay", *named).stdout == "2 are handled once more\n"
    # One of them was replayed before: then none is.
    again = command(settings, "replay", str(made[2].id), named[0])
    assert (again.returncode, again.stderr) == (1, DeadLetterSettled.title + "\n")
    assert await state_of(sessions, made[2].id) == "open"
    assert command(settings, "replay", "--all").stdout == "3 are handled once more\n"
    assert await redeliver_batch(sessions, HANDLERS, VERIFIER) == len(made)
    for number in range(len(made)):
        assert await versions_of(sessions, f"{key}-{number}") == [5]


async def test_handler_that_failed_leaves_no_half_effect(
    sessions: SessionFactory, key: str
) -> None:
    handlers = handling(record_effect, refuse)
    await handle_records(sessions, [record(progressed(key))], handlers)
    assert await versions_of(sessions, key) == []
    assert await scalar(sessions, "SELECT count(*) FROM handled_event") == 0
