"""An operator lists, reads, replays and discards dead letters over HTTP and at the command line."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from shared.database.session import SessionFactory
from shared.messaging.dead_letters import DeadLetter
from shared.messaging.redelivery import redeliver_batch
from shared.runtime.app import create_service
from shared.runtime.operator_routes import DeadLetterSettled
from shared.settings import ServiceSettings
from tests.shared.event_flow import HANDLERS, SERVICE, versions_of
from tests.shared.messaging.test_dead_letters import set_aside, state_of
from tests.support.event_keys import VERIFIER, key_text
from tests.support.factories import CALL_KEY, DIGEST_KEY, TestAuthority
from tests.support.serving import calling

PATH = "/dossier/v1/dead-letters"


@pytest.fixture
async def letter(sessions: SessionFactory, key: str) -> DeadLetter:
    return await set_aside(sessions, key)


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
    listed_again = command(settings, "list")
    assert listed_again.stdout == ""
    assert listed_again.stderr == f"{SERVICE}: no dead letter is open\n"


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
