"""Manage the keys that sign access tokens: `python -m identity_service signing-keys rotate`.

The next key is published at once and signs after `LEAD`, when every cache of the old key set has
ended. The old key stays published until the last token that it signed has ended.
"""

import typer

from identity_service.settings import Settings
from identity_service.tokens.models import SigningKey
from identity_service.tokens.signing_keys import delete_all_keys, rotate_signing_keys
from shared.codes.time import utc_now
from shared.database.engine import open_database
from shared.runtime.invocation import run_async, run_in_session

commands = typer.Typer(no_args_is_help=True)


@commands.callback()
def _group_commands() -> None:
    """Manage the keys that sign access tokens."""


@commands.command("rotate")
def _rotate_keys(context: typer.Context) -> None:
    """Publish the next key now; it signs when every cache of the key set has ended."""
    settings: Settings = context.obj.settings

    async def add_next() -> SigningKey:
        async with open_database(settings) as sessions:
            return await rotate_signing_keys(sessions, settings.key_encryption_key, now=utc_now())

    key = run_async(add_next)
    typer.echo(f"{key.kid} signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC")


@commands.command("discard")
def _discard_keys(context: typer.Context) -> None:
    """Delete all keys, whose sealing key is lost; access tokens end, and the next use makes one."""
    run_in_session(context.obj.settings, delete_all_keys)
