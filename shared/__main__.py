"""Every process of the mesh: `python -m shared <service> serve|work|prepare|replay|…`."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any
from uuid import UUID

import typer
import uvicorn
import uvloop
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.session import open_database
from shared.messaging import dead_letters
from shared.messaging.event_keys import make_event_signer
from shared.messaging.kafka import open_producer
from shared.messaging.outbox import KEPT_DAYS
from shared.messaging.relay import replay
from shared.observability.telemetry import configure_logging
from shared.runtime import migrations
from shared.runtime.app import spare_the_collector
from shared.settings import ServiceSettings
from shared.web.problems import Problem


class Service(StrEnum):
    GATEWAY = "gateway"
    IDENTITY = "identity_service"
    DOSSIER = "dossier_service"
    SYNC = "sync_service"


cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
letters = typer.Typer(no_args_is_help=True, help="Messages that could not be handled.")
cli.add_typer(letters, name="dead-letters")


@cli.callback()
def main(context: typer.Context, service: Service) -> None:
    """One image, one program: the first word says which service, the second what it does."""
    settings_class: type[ServiceSettings] = import_module(f"{service}.settings").Settings
    try:
        context.obj = settings_class.read()
    except ValidationError as error:
        lacking = ", ".join(str(e["loc"][0]).upper() for e in error.errors())
        sys.exit(f"{service}: these settings are missing or wrong: {lacking} (see .env.example)")
    configure_logging(context.obj)


@cli.command("serve")
def _serve(context: typer.Context) -> None:
    """Answer HTTP."""
    settings: ServiceSettings = context.obj
    module = import_module(f"{settings.name}.main")
    if serve := getattr(module, "serve", None):
        serve(settings)
        return
    app = module.create_app(settings)
    spare_the_collector(app)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


@cli.command("work")
def _work(context: typer.Context) -> None:
    """Send events, handle events, mind deadlines."""
    work = import_module(f"{context.obj.name}.worker").work
    _run(lambda: work(context.obj))


@cli.command("migrate")
def _migrate(context: typer.Context) -> None:
    """Bring the service's database to the newest shape."""
    migrations.upgrade(context.obj)


@cli.command("revision")
def _revision(context: typer.Context, title: str) -> None:
    """Write a migration from the difference between models and database."""
    migrations.revision(context.obj, title)


@cli.command("seed")
def _seed(context: typer.Context) -> None:
    """Load what a service needs to begin; a second time changes nothing."""
    module = f"{context.obj.name}.seed"
    if find_spec(module):
        _run(lambda: import_module(module).seed(context.obj))


@cli.command("prepare")
def _prepare(context: typer.Context) -> None:
    """`migrate`, then `seed`: all that must be before the service starts."""
    _migrate(context)
    _seed(context)


@cli.command("replay")
def _replay(
    context: typer.Context,
    days: Annotated[float, typer.Option(help="how far back")] = KEPT_DAYS,
) -> None:
    """Send again what was sent, to refill a broker that lost its data."""

    async def send_again() -> None:
        async with (
            open_database(context.obj) as sessions,
            open_producer(context.obj) as producer,
        ):
            signer, since = make_event_signer(context.obj), datetime.now(UTC) - timedelta(days=days)
            count = await replay(sessions, producer, signer, since)
        typer.echo(f"{count} events sent again")

    _run(send_again)


@letters.command("list")
def _list_letters(context: typer.Context, state: dead_letters.State = "open") -> None:
    """One line of JSON for each."""
    for letter in _in_session(context, lambda s: dead_letters.list_dead_letters(s, state)):
        typer.echo(dead_letters.DeadLetterOut.model_validate(letter).model_dump_json())


@letters.command("show")
def _show_letter(context: typer.Context, letter_id: UUID) -> None:
    """The message with its headers, content and reason."""
    letter = _in_session(context, lambda s: dead_letters.read_dead_letter(s, letter_id))
    shown = dead_letters.DeadLetterOut.model_validate(letter).model_dump(mode="json")
    content = letter.value.decode(errors="replace")
    typer.echo(json.dumps(shown | {"content": content}, indent=2, ensure_ascii=False))


@letters.command("replay")
def _replay_letters(
    context: typer.Context,
    letter_ids: Annotated[list[UUID] | None, typer.Argument()] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="all that are open")] = False,
) -> None:
    """Have the worker handle them once more: all, or none where one cannot be."""
    if bool(letter_ids) == every:
        raise typer.BadParameter("name the letters, or say --all")

    async def replay_letters(session: AsyncSession) -> int:
        if every:
            return await dead_letters.replay_open_letters(session)
        for letter_id in letter_ids or ():
            await dead_letters.replay_dead_letter(session, letter_id)
        return len(letter_ids or ())

    typer.echo(f"{_in_session(context, replay_letters)} are handled once more")


@letters.command("discard")
def _discard_letter(context: typer.Context, letter_id: UUID) -> None:
    """Say that it needs no handling; it stays on record."""
    _in_session(context, lambda s: dead_letters.discard_dead_letter(s, letter_id))


def _in_session(context: typer.Context, act: Callable[[AsyncSession], Awaitable[Any]]) -> Any:
    async def in_session() -> Any:
        async with open_database(context.obj) as sessions, sessions.begin() as session:
            return await act(session)

    try:
        return _run(in_session)
    except Problem as problem:
        sys.exit(problem.title)


def _run(main_part: Callable[[], Awaitable[Any]]) -> Any:
    async def whole() -> Any:
        return await main_part()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(whole())


if __name__ == "__main__":
    cli()
