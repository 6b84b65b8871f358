"""An error is an outage, a fault of the caller, or a fault of ours: each has one answer."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from shared.database.engine import connect_driver, open_database, render_driver_url
from shared.database.errors import REFUSED_VALUE_STATES, is_outage, is_refused_value
from shared.database.session import SessionFactory
from shared.events import DossierProgressed
from shared.messaging.kafka import is_broker_outage
from shared.settings import ServiceSettings
from shared.web import problems
from shared.web.dependencies import Session
from shared.web.middleware import RequestMiddleware
from tests.shared.event_flow import (
    handle_records,
    handling,
    progressed,
    record,
    record_effect,
    scalar,
    versions_of,
)

OUTAGES = (ConnectionError, TimeoutError, socket.gaierror)


def subclasses(kind: type[OSError]) -> Iterator[type[OSError]]:
    """All of Python itself; a library's own are its business."""
    for found in kind.__subclasses__():
        if found.__module__ in {"builtins", "socket", "ssl", "io", "shutil"}:
            yield found
        yield from subclasses(found)


OS_ERRORS: list[type[OSError]] = sorted(
    {OSError, *subclasses(OSError)}, key=lambda kind: kind.__name__
)


def test_table_of_os_errors_is_not_empty() -> None:
    assert {FileNotFoundError, PermissionError, ConnectionResetError, ssl.SSLError} < {*OS_ERRORS}


@pytest.mark.parametrize("kind", OS_ERRORS)
def test_only_errors_of_a_connection_are_outages(kind: type[OSError]) -> None:
    is_one = issubclass(kind, OUTAGES)
    assert (is_outage(kind()), is_broker_outage(kind())) == (is_one, is_one)


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_number_of_a_system_error_is_an_outage_only_of_a_connection(number: int) -> None:
    error = OSError(number, os.strerror(number))
    assert is_outage(error) == isinstance(error, OUTAGES)


def sqlstates() -> dict[str, type[Exception]]:
    every = [getattr(asyncpg.exceptions, name) for name in dir(asyncpg.exceptions)]
    errors = [kind for kind in every if isinstance(kind, type) and issubclass(kind, Exception)]
    states = {getattr(kind, "sqlstate", None): kind for kind in errors}
    return {state: kind for state, kind in states.items() if state}


SQLSTATES = sqlstates()
# Connections, resources, operator intervention and the system; and races that a second try wins.
OUTAGE_STATES = {state for state in SQLSTATES if state[:2] in {"08", "53", "57", "58"}} | {
    "40001",
    "40P01",
    "25006",
    "25P03",
    "55P03",
}
# Files that are missing, or there twice: waiting does not mend them.
OUTAGE_STATES -= {"58P01", "58P02"}


def wrapped(error: Exception) -> DBAPIError:
    """As a session raises it."""
    return DBAPIError("SELECT 1", None, error)


@pytest.mark.parametrize("state", sorted(SQLSTATES))
def test_sqlstate_says_whose_fault_it_is(state: str) -> None:
    error = SQLSTATES[state]("said by the server")
    callers = state in {"22021", "22P05", "22001"}
    outage = state in OUTAGE_STATES
    for each in (error, wrapped(error)):
        assert (is_refused_value(each), is_outage(each)) == (callers, outage)
    assert problems.find_problem(wrapped(error)).status == (
        422 if callers else 503 if outage else 500
    )


async def close_it(connection: asyncpg.Connection) -> None:
    await connection.close()
    await connection.execute("SELECT 1")


async def end_it(connection: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.PostgresError):
        await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    await connection.execute("SELECT 1")


async def give_too_few_values(connection: asyncpg.Connection) -> None:
    await connection.fetch("SELECT $1::int, $2::int", 1)


async def use_it_twice_at_once(connection: asyncpg.Connection) -> None:
    await asyncio.gather(connection.execute("SELECT 1"), connection.execute("SELECT 2"))


Use = Callable[[asyncpg.Connection], Awaitable[None]]
USES_OF_A_CONNECTION: dict[Use, bool] = {
    close_it: True,
    end_it: True,
    give_too_few_values: False,
    use_it_twice_at_once: False,
}


@pytest.mark.parametrize("use", USES_OF_A_CONNECTION, ids=lambda use: use.__name__)
async def test_wrong_use_of_a_connection_is_no_outage(settings: ServiceSettings, use: Use) -> None:
    """Background work waits an outage out for ever: an error of ours must not look like one."""
    url = render_driver_url(settings.database)
    connection = await connect_driver(url)
    try:
        with pytest.raises(asyncpg.InterfaceError) as raised:
            await use(connection)
        assert is_outage(raised.value) is USES_OF_A_CONNECTION[use]
    finally:
        await connection.close()


def test_states_of_refused_values_are_known_to_the_driver() -> None:
    assert SQLSTATES.keys() >= REFUSED_VALUE_STATES


def test_wait_for_a_connection_of_the_pool_is_an_outage() -> None:
    assert is_outage(PoolTimeoutError())


def read_missing_file() -> None:
    Path("/no/such/file").read_text()


FAULTS_OF_OURS = {
    "division by zero": "SELECT 1 / 0",
    "number out of range": "SELECT CAST(99999 AS smallint)",
    "date that is none": "SELECT CAST('2026-02-30' AS date)",
    "text for a number": "SELECT CAST('many' AS integer)",
    "logarithm of nothing": "SELECT ln(0)",
    "broken JSON path": "SELECT jsonb_path_query('{}', 'strict $.a')",
}
FAULTS_OF_CALLERS = {
    "text too long": "SELECT pg_catalog.varchar('abc'::varchar, 6, false)",
    "character NUL": "SELECT CAST(:value AS text)",
    "NUL in JSON": "SELECT CAST('\"\\u0000\"' AS jsonb) ->> 0",
}


def asking(sessions: SessionFactory, statement: str | None) -> FastAPI:
    """An app whose one operation executes the statement, or reads a file that is missing."""
    app = FastAPI()
    problems.install_handlers(app)
    app.state.sessions = sessions

    @app.get("/")
    async def ask(session: Session) -> None:
        if statement is None:
            read_missing_file()
            return
        values = {"value": "a\0b"} if ":value" in statement else {}
        await session.execute(text(statement), values)

    app.add_middleware(RequestMiddleware)
    return app


async def ask(sessions: SessionFactory, statement: str | None) -> tuple[int, list[str]]:
    """Return the status of the answer and the levels of the log lines."""
    transport = httpx.ASGITransport(asking(sessions, statement))
    with capture_logs() as lines:
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
            answer = await http.get("/")
    return answer.status_code, [line["log_level"] for line in lines]


@pytest.mark.parametrize("fault", FAULTS_OF_OURS)
async def test_fault_of_our_statement_is_logged_as_an_error(
    sessions: SessionFactory, fault: str
) -> None:
    assert await ask(sessions, FAULTS_OF_OURS[fault]) == (500, ["error"])


@pytest.mark.parametrize("fault", FAULTS_OF_CALLERS)
async def test_value_that_the_database_cannot_keep_is_the_callers_fault(
    sessions: SessionFactory, fault: str
) -> None:
    assert await ask(sessions, FAULTS_OF_CALLERS[fault]) == (422, ["warning"])


async def test_missing_file_is_an_error_of_ours_and_no_outage(sessions: SessionFactory) -> None:
    assert await ask(sessions, None) == (500, ["error"])


async def test_message_whose_handler_misses_a_file_is_set_aside_and_the_rest_goes_on(
    sessions: SessionFactory, key: str
) -> None:
    async def read_missing(session: AsyncSession, events: Sequence[DossierProgressed]) -> None:
        await record_effect(session, events)
        if any(event.version == 2 for event in events):
            read_missing_file()

    records = [record(progressed(key, n), offset=n) for n in range(1, 4)]
    await handle_records(sessions, records, handling(read_missing))
    assert await versions_of(sessions, key) == [1, 3]
    assert await scalar(sessions, "SELECT count(*) FROM dead_letter") == 1


def unreachable(tmp_path: Path) -> dict[str, dict[str, Any]]:
    return {
        "missing socket": {"host": str(tmp_path)},
        "missing folder": {"host": str(tmp_path / "missing")},
        "closed port": {"host": "127.0.0.1", "port": 1},
        "closed port of several addresses": {"host": "localhost", "port": 1},
        "unknown name": {"host": "no-such-host.invalid"},
    }


@pytest.mark.parametrize("where", unreachable(Path()))
async def test_database_that_cannot_be_reached_is_an_outage(tmp_path: Path, where: str) -> None:
    with pytest.raises(OUTAGES) as refused:
        await connect_driver(**unreachable(tmp_path)[where], user="nobody", database="none")
    assert is_outage(refused.value)


async def test_session_of_a_database_whose_socket_is_missing_is_in_an_outage(
    settings: ServiceSettings, tmp_path: Path
) -> None:
    url = settings.database.set(host=None, port=None, query={"host": str(tmp_path)})
    away = settings.model_copy(update={"database_url": url.render_as_string(hide_password=False)})
    async with open_database(away) as sessions:
        assert await ask(sessions, "SELECT 1") == (503, ["warning"])


LOST_PLACES = (
    "cannot switch to state 12; another operation (2) is in progress",
    "cannot process message 'E': protocol is in an unexpected state 3.",
)
OTHER_FAULTS_OF_THE_DRIVER = "unexpected number of attributes", "schema changed"


@pytest.mark.parametrize("message", LOST_PLACES)
async def test_connection_whose_driver_lost_its_place_is_an_outage_and_not_used_again(
    sessions: SessionFactory, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    """The driver falls into this state when the server ends in the middle of an answer."""
    before = await scalar(sessions, "SELECT pg_backend_pid()")
    with monkeypatch.context() as patched:
        patched.setattr(asyncpg.Connection, "prepare", raising(message))
        assert await ask(sessions, "SELECT 1") == (503, ["warning"])
    assert await scalar(sessions, "SELECT pg_backend_pid()") != before


@pytest.mark.parametrize("message", OTHER_FAULTS_OF_THE_DRIVER)
async def test_other_faults_of_the_driver_are_no_outage(
    sessions: SessionFactory, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    monkeypatch.setattr(asyncpg.Connection, "prepare", raising(message))
    assert await ask(sessions, "SELECT 1") == (500, ["error"])


def raising(message: str) -> Callable[..., Awaitable[None]]:
    async def fail(*_: object, **__: object) -> None:
        raise asyncpg.InternalClientError(message)

    return fail
