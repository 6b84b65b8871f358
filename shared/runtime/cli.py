"""The command line of every service: `python -m <service> serve|work|migrate|…`."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Generic

import typer
import uvicorn
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.time import utc_now
from shared.crypto.ed25519 import KeyUnfitError
from shared.database.engine import open_database
from shared.messaging.inbox import renew_inbox_rows
from shared.messaging.kafka import open_producer
from shared.messaging.outbox import RETENTION_DAYS, requeue_sent_events
from shared.messaging.relay import replay_sent_events
from shared.observability.logging import configure_logging
from shared.runtime import dead_letter_commands, migrations
from shared.runtime.app import freeze_gc
from shared.runtime.event_keys import make_event_signer
from shared.runtime.invocation import SettingsType, read_settings, run_async, run_in_session
from shared.runtime.secret_checks import SecretsChangedError, accept_secret, require_kept_secrets


@dataclass(frozen=True)
class Program(Generic[SettingsType]):
    """The functions of one service that its command line runs; each takes the settings."""

    name: str
    settings: type[SettingsType]
    serve: Callable[[SettingsType], None]
    work: Callable[[SettingsType], Awaitable[None]]
    seed: Callable[[SettingsType], Awaitable[None]] | None = None


@dataclass(frozen=True)
class Invocation:
    """The object that a command finds in its context."""

    program: Program[Any]

    @cached_property
    def settings(self) -> Any:
        """Read the settings at their first use, because some commands need none."""
        settings = read_settings(self.program.name, self.program.settings)
        configure_logging(settings)
        return settings

    @cached_property
    def checked_settings(self) -> Any:
        """Read the settings; exit unless the secrets are those that the data was made with."""
        settings = self.settings
        try:
            run_async(lambda: require_kept_secrets(settings))
        except (SecretsChangedError, KeyUnfitError) as error:
            sys.exit(f"{self.program.name}: {error}")
        return settings


def build_cli(program: Program[SettingsType]) -> typer.Typer:
    """Return the commands of a service, to which it may add its own."""
    cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

    @cli.callback()
    def configure(context: typer.Context) -> None:
        context.obj = Invocation(program)

    for name, command in _COMMANDS.items():
        cli.command(name)(command)
    cli.add_typer(dead_letter_commands.commands, name="dead-letters")
    return cli


def serve_app(create_app: Callable[[SettingsType], FastAPI], settings: SettingsType) -> None:
    """Answer HTTP until SIGTERM."""
    app = create_app(settings)
    freeze_gc(app)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


def _serve_requests(context: typer.Context) -> None:
    """Answer HTTP."""
    program, settings = context.obj.program, context.obj.checked_settings
    program.serve(settings)


def _run_worker(context: typer.Context) -> None:
    """Publish events, handle events and run timers."""
    program, settings = context.obj.program, context.obj.checked_settings
    run_async(lambda: program.work(settings))


def _migrate_database(context: typer.Context) -> None:
    """Migrate the service's database to the newest revision."""
    settings = context.obj.settings
    applied = migrations.upgrade_database(settings)
    outcome = f"applied {', '.join(applied)}" if applied else "no migration was missing"
    typer.echo(f"{settings.name}: {outcome}")


def _write_revision(context: typer.Context, title: str) -> None:
    """Write a migration from the difference between models and database."""
    migrations.write_revision(context.obj.settings, title)


def _seed_database(context: typer.Context) -> None:
    """Load the data that the service needs at first; a repeat changes nothing."""
    program, settings = context.obj.program, context.obj.checked_settings
    if program.seed:
        run_async(lambda: program.seed(settings))


def _prepare_database(context: typer.Context) -> None:
    """Run `migrate`, then `seed`, which must both precede the start of the service."""
    migrations.upgrade_database(context.obj.settings)
    _seed_database(context)


def _replay_events(
    context: typer.Context,
    days: Annotated[float, typer.Option(help="days to go back")] = RETENTION_DAYS,
) -> None:
    """Publish sent events again, to refill a broker that lost its data."""
    settings = context.obj.checked_settings

    async def send_again() -> int:
        async with open_database(settings) as sessions, open_producer(settings) as producer:
            since = utc_now() - timedelta(days=days)
            return await replay_sent_events(sessions, producer, make_event_signer(settings), since)

    typer.echo(f"{run_async(send_again)} events sent again")


def _requeue_events(context: typer.Context) -> None:
    """Queue all stored sent events anew, in a database that was restored from a back-up."""

    async def requeue_events(session: AsyncSession) -> int:
        await renew_inbox_rows(session)
        return await requeue_sent_events(session)

    settings = context.obj.checked_settings
    count = run_in_session(settings, requeue_events, reads_every_row=True)
    typer.echo(f"{count} events go out again")


def _accept_secret(context: typer.Context, name: str) -> None:
    """Let a process start with the present secret, where the one before is lost for good."""
    settings = context.obj.settings
    if name not in settings.kept_secrets:
        raise typer.BadParameter(f"one of {', '.join(settings.kept_secrets)}")
    run_in_session(settings, lambda session: accept_secret(session, settings, name))
    typer.echo(f"{name} is from now on the one that the data depends on")


_COMMANDS: dict[str, Callable[..., None]] = {
    "serve": _serve_requests,
    "work": _run_worker,
    "migrate": _migrate_database,
    "revision": _write_revision,
    "seed": _seed_database,
    "prepare": _prepare_database,
    "replay": _replay_events,
    "requeue": _requeue_events,
    "accept-secret": _accept_secret,
}
